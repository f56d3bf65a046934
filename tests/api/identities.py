"""Users, roles and policies to test with."""

import json

from policies import LAMBDA, document, trusting
from server import refused

OTHER = "111122223333"
TRUST = trusting(LAMBDA)


def statement(action, resource="*", effect="Allow", **condition):
    written = {"Effect": effect, "Action": action, "Resource": resource}
    return written | ({"Condition": condition} if condition else {})


class User:
    """A user with one inline policy, which a test changes as it goes."""

    def __init__(self, server, iam, name):
        self.server, self.iam, self.name = server, iam, name
        self.arn = iam.create_user(UserName=name)["User"]["Arn"]
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.key = (key["AccessKeyId"], key["SecretAccessKey"])

    def may(self, *statements):
        self.iam.put_user_policy(UserName=self.name, PolicyName="p", PolicyDocument=document(*statements))

    def client(self, service="lambda", **options):
        return self.server.client(service, credentials=self.key, **options)

    def denial(self, action, resource, reason=None):
        reason = reason or f"because no identity-based policy allows the {action} action"
        return f"User: {self.arn} is not authorized to perform: {action} on resource: {resource} {reason}"


def denied(call, message, **arguments):
    return refused(call, "AccessDeniedException", message, **arguments)


def credentials_of(client, function):
    """Those of the function's execution environment: as (key, secret, token)."""
    names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
    answer = client.invoke(FunctionName=function, Payload=json.dumps({"do": "environment"}))
    variables = json.load(answer["Payload"])
    return tuple(variables[name] for name in names)
