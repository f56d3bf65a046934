"""Policy documents, as text."""

import json

LAMBDA = {"Service": "lambda.amazonaws.com"}


def document(*statements, version="2012-10-17", **more):
    return json.dumps({"Version": version, "Statement": list(statements)} | more)


def allowing(action, resource="*", **more):
    return document({"Effect": "Allow", "Action": action, "Resource": resource} | more)


def trusting(principal, **more):
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"} | more)


def of_size(text, characters):
    """The policy made as long as this by the Sid of its first statement, white space not counted, of which there is a lot."""
    policy = json.loads(text)
    policy["Statement"][0]["Sid"] = ""
    policy["Statement"][0]["Sid"] = "x" * (characters - len(json.dumps(policy, separators=(",", ":"))))
    return json.dumps(policy, indent=40)
