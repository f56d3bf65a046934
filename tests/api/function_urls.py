"""Function URLs and requests to them, whatever Python's resolver makes of their hosts."""

import http.client
import json
import socket
import urllib.parse

from server import unique

FORBIDDEN = {
    "Message": "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
}
JSON = {"Content-Type": "application/json"}


class Url:
    """A function URL, and clients of it."""

    def __init__(self, server, url):
        self.server = server
        self.host = urllib.parse.urlsplit(url).hostname
        self.id, _, self.region = self.host.split(".")[:3]

    def __call__(self, method="GET", path="/", body=None, headers=None, host=None):
        """The answer to one request: status, headers as http.client has them, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host or f"{self.host}:{self.server.port}")
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None and not {"content-length", "transfer-encoding"} & {name.lower() for name in headers or {}}:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders()
            if body is not None:
                connection.send(body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def event(self, *arguments, **options):
        answer = self(*arguments, **options)
        assert answer.status == 200, answer
        return answer.json()["event"]

    def result(self, result, method="POST", headers=None):
        """The answer where the function's result is this."""
        return self(method, body=json.dumps(result).encode(), headers=JSON | {"X-Do": "result"} | (headers or {}))

    def raw(self, data):
        """What comes back for these bytes."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=30) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                answer += chunk
        return answer


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:500]!r}"


def let_in(client, name, auth_type="NONE", principal="*", qualifier=None, actions=("InvokeFunctionUrl", "InvokeFunction")):
    """Gives the two permissions that requests take, as the console and SAM do."""
    options = {"Qualifier": qualifier} if qualifier else {}
    if "InvokeFunctionUrl" in actions:
        statement = dict(StatementId=unique("s"), Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType=auth_type)
        client.add_permission(FunctionName=name, Principal=principal, **statement, **options)
    if "InvokeFunction" in actions:
        statement = dict(StatementId=unique("s"), Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
        client.add_permission(FunctionName=name, Principal=principal, **statement, **options)


def make_url(server, client, name, auth_type="NONE", qualifier=None, **settings):
    options = {"Qualifier": qualifier} if qualifier else {}
    made = client.create_function_url_config(FunctionName=name, AuthType=auth_type, **options, **settings)
    return Url(server, made["FunctionUrl"])
