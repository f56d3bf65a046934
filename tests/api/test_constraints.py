"""Every constraint of every operation, through the API: an input at each bound, and one beyond each.

Validation comes before everything else on AWS, so also operations that are not built refuse what is wrong.
"""

import concurrent.futures
import pathlib
import re

import botocore.exceptions
import pytest

import constraints

COMPAT = pathlib.Path(__file__).parents[2] / "docs/compat.md"
SERVICES = {"AWS Lambda": "lambda", "Amazon CloudWatch Logs": "logs"}
CODES = {"lambda": "ValidationException", "logs": "InvalidParameterException"}


def operations():
    """(service, operation, whether it is built) as docs/compat.md has them."""
    service = None
    for line in COMPAT.read_text().splitlines():
        if line.startswith("## "):
            service = SERVICES.get(line[3:])
        elif service and (row := re.match(r"\| (\w+) \| (built|501) \|", line)):
            yield service, row[1], row[2] == "built"


@pytest.fixture(scope="module")
def clients(permissive):
    return {service: permissive.client(service, validate=False) for service in CODES}


def sent(client, operation, given):
    """The answer as status, code, message; or why there can be none."""
    try:
        client._make_api_call(operation, given)
    except botocore.exceptions.ClientError as error:
        answer = error.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]
    return 200, None, ""


def unsendable(shape, given):
    """Why a client cannot send an input so that it arrives as it is, None if it can."""
    for name, member in shape.members.items():
        location, value = member.serialization.get("location"), given.get(name)
        if location == "uri" and not value:
            return "an empty label makes another path"
        if location == "header" and isinstance(value, str) and not (value.isascii() and (value.isprintable() or not value)):
            return "headers are plain ASCII"
    if size(given) > constraints.LARGEST_BODY - 1000:
        return "the body is too large"
    return None


def size(value):
    if isinstance(value, dict):
        return sum(size(part) for part in value.values())
    if isinstance(value, list):
        return sum(size(part) for part in value)
    return len(value) if isinstance(value, (str, bytes)) else 0


def wrong(client, code, shape, operation, case):
    """What is wrong with the answer to an input, None if nothing is."""
    expected = constraints.expected(shape, case.input)
    answer = sent(client, operation, case.input)
    if expected is not None:
        return None if answer == (400, code, expected) else f"{case.label}\n  got  {answer}\n  want {(400, code, expected)}"
    names_it = answer[1] == code and f"at '{case.member}" in answer[2]
    if any(
        [operation, case.member] == place and re.fullmatch(values, str(case.input.get(name, "")))
        for *place, name, values in constraints.NARROWER
    ):
        names_it = False
    if names_it or (answer[0] >= 500 and answer[0] != 501):
        return f"{case.label}\n  got  {answer}\n  want no complaint about {case.member}"
    return None


@pytest.mark.parametrize("service, operation", [(service, operation) for service, operation, _ in operations()])
def test_constraints(clients, service, operation):
    shape = constraints.model(service).operation_model(operation).input_shape
    client, code = clients[service], CODES[service]
    cases = [case for case in constraints.cases(shape) if unsendable(shape, case.input) is None]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = [text for text in pool.map(lambda case: wrong(client, code, shape, operation, case), cases) if text]
    assert not found, f"{len(found)} of {len(cases)} inputs:\n" + "\n".join(text[:3000] for text in found[:5])


def test_the_sweep_is_wide():
    """Thousands of inputs, of which few cannot be sent."""
    sent = skipped = refused = 0
    for service, operation, _ in operations():
        shape = constraints.model(service).operation_model(operation).input_shape
        for case in constraints.cases(shape):
            if unsendable(shape, case.input):
                skipped += 1
            else:
                sent += 1
                refused += constraints.expected(shape, case.input) is not None
    assert sent > 5000 and refused > 2500 and skipped < sent / 10, (sent, refused, skipped)


def test_the_table_of_what_is_built_is_true(clients):
    """docs/compat.md, which is made from the code, against the server: what is not built answers 501 to a sound input."""
    built = {}
    for service, operation, _ in operations():
        least = constraints.minimal(constraints.model(service).operation_model(operation).input_shape)
        built[operation] = sent(clients[service], operation, least)[0] != 501
    assert built == {operation: is_built for _, operation, is_built in operations()}, "run cargo xtask compat"
