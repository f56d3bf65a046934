"""Container images for the tests: layouts made here, and a registry, which is a real one."""

import contextlib
import gzip
import hashlib
import http.client
import http.server
import io
import json
import pathlib
import subprocess
import tarfile
import threading

from s3_server import free_port
from server import TOOLS, wait_until

REGISTRY = TOOLS / "registry/usr/bin/docker-registry"
DATE = 1767225600

# Of the user `user` and the password `secret`.
PASSWORDS = "user:$2b$04$mm2/R54TUmpKOv/g2MBA4utfv9DtEQxMKEIFv.xfzAypTm0Zq3gYG\n"

CONFIGURATION = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {directory}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
{authentication}
"""


def layer(files, directory=None):
    """A layer with {path: content}; content is text or bytes, a path of this machine, or None for a directory. What
    begins with `#!` can be executed. `directory` is put at the root before them, with all that is in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        if directory:
            archive.add(directory, arcname=".", filter=_plain)
        for path, content in files.items():
            if isinstance(content, pathlib.Path):
                archive.add(content, arcname=path, filter=_plain)
                continue
            entry = tarfile.TarInfo(path)
            entry.mtime = DATE
            if content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
                continue
            content = content.encode() if isinstance(content, str) else content
            entry.size, entry.mode = len(content), 0o755 if content.startswith(b"#!") else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _plain(entry):
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


class Layout:
    """An OCI image layout, to which images are added."""

    def __init__(self, directory):
        self.directory, self.manifests = pathlib.Path(directory), []
        (self.directory / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        (self.directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def _put(self, content, kind):
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = hashlib.sha256(content).hexdigest()
        (self.directory / "blobs/sha256" / digest).write_bytes(content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    def _layer(self, content):
        if len(content) < 100_000:
            return self._put(content, "layer.v1.tar")
        return self._put(gzip.compress(content, 1, mtime=0), "layer.v1.tar+gzip")

    def _image(self, layers, architecture, config):
        packed = [self._layer(content) for content in layers]
        digests = [f"sha256:{hashlib.sha256(content).hexdigest()}" for content in layers]
        rootfs = {"type": "layers", "diff_ids": digests}
        described = {"architecture": architecture, "os": "linux", "config": config, "rootfs": rootfs}
        manifest = {"schemaVersion": 2, "config": self._put(described, "config.v1+json"), "layers": packed}
        return self._put(manifest | {"mediaType": "application/vnd.oci.image.manifest.v1+json"}, "manifest.v1+json")

    def add(self, tag, layers, architectures=("amd64",), **config):
        """An image, or an index of several; gives its digest."""
        images = [
            self._image(layers, architecture, config) | {"platform": {"architecture": architecture, "os": "linux"}}
            for architecture in architectures
        ]
        top = images[0]
        if len(images) > 1:
            kind = "application/vnd.oci.image.index.v1+json"
            top = self._put({"schemaVersion": 2, "mediaType": kind, "manifests": images}, "index.v1+json")
        top = top | {"annotations": {"org.opencontainers.image.ref.name": tag}}
        self.manifests = [one for one in self.manifests if one["annotations"] != top["annotations"]] + [top]
        (self.directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.manifests}))
        return images[0]["digest"]

    def layers(self, image):
        """The digests of the layers of an image, by its digest."""
        manifest = json.loads((self.directory / "blobs/sha256" / image.removeprefix("sha256:")).read_bytes())
        return [layer["digest"] for layer in manifest["layers"]]

    def copy(self, tag, target, *options):
        """Has skopeo copy an image somewhere else."""
        exactly = ["--preserve-digests"] if target.startswith("docker:") else []
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "-q", *exactly, *options, f"oci:{self.directory}:{tag}", target],
            check=True, timeout=120,
        )  # fmt: skip


@contextlib.contextmanager
def registry(directory, *, password=False):
    """Docker's registry; gives its `host:port`."""
    port, directory = free_port(), pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "passwords").write_text(PASSWORDS)
    authentication = f"auth: {{htpasswd: {{realm: test, path: {directory}/passwords}}}}" if password else ""
    configuration = directory / "configuration.yml"
    configuration.write_text(CONFIGURATION.format(directory=directory, port=port, authentication=authentication))
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen([REGISTRY, "serve", configuration], stdout=log, stderr=log)
    try:
        wait_until(lambda: _answers(port), what="that the registry answers")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _answers(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in (200, 401)
    except OSError:
        return False
    finally:
        connection.close()


class Guard:
    """Stands in front of a registry: wants a token as Docker Hub does, and keeps blobs elsewhere."""

    TOKEN = "a-token"

    def __init__(self, registry):
        guard, self.seen = self, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                host = self.headers["Host"]
                guard.seen.append((host, self.path, self.headers["Authorization"]))
                if self.path.startswith("/token?"):
                    self.answer(200, {}, json.dumps({"token": guard.TOKEN}).encode())
                elif host.startswith("localhost:"):
                    # Where blobs are kept: nobody is asked who they are.
                    self.forward()
                elif self.headers["Authorization"] != f"Bearer {guard.TOKEN}":
                    scope = f'Bearer realm="http://{host}/token",service="test",scope="repository:app:pull"'
                    self.answer(401, {"WWW-Authenticate": scope}, b"who are you?")
                elif "/blobs/" in self.path:
                    port = host.rsplit(":")[1]
                    self.answer(307, {"Location": f"http://localhost:{port}{self.path}"}, b"over there")
                else:
                    self.forward()

            def forward(self):
                connection = http.client.HTTPConnection(registry, timeout=20)
                connection.request("GET", self.path, headers={"Accept": ", ".join(self.headers.get_all("Accept"))})
                answer = connection.getresponse()
                self.answer(answer.status, {"Content-Type": answer.headers["Content-Type"]}, answer.read())

            def answer(self, status, headers, body):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
