"""A small server that gives a model folder as Hugging Face and ModelScope do, under the name org/tiny."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

COMMIT = "0123456789" * 4


@contextmanager
def serve_hub(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of the server, and the names of the files that were fetched from it so far."""
    fetched: list[str] = []
    files = {path.name: path.read_bytes() for path in folder.iterdir()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            status, headers, data = _find(files, self.path)
            name = headers.pop("name", "")
            if name and with_body:
                fetched.append(name)
            self.send_response(status)
            for key, value in (headers | {"Content-Length": str(len(data))}).items():
                self.send_header(key, value)
            self.end_headers()
            if with_body:
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", fetched
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _find(files: dict[str, bytes], address: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (with the name of a file that is fetched) and body of an answer."""
    path, query = urlparse(address).path, parse_qs(urlparse(address).query)
    listed: object = {}
    if path.startswith("/org/tiny/resolve/"):
        name = path.rsplit("/", 1)[1]
        return 200, {"name": name, "ETag": f'"{hashlib.sha1(files[name]).hexdigest()}"', "X-Repo-Commit": COMMIT}, files[name]
    if path.startswith("/api/models/org/tiny/tree/"):
        listed = [{"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()} for name, data in files.items()]
    elif path.startswith("/api/models/org/tiny/revision/"):
        listed = {"id": "org/tiny", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
    elif path == "/api/v1/models/org/tiny/repo/files":
        listed = {"Code": 200, "Success": True, "Data": {"Files": [
            {"Name": name, "Path": name, "Type": "blob", "Size": len(data), "Revision": COMMIT, "Sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()]}}
    elif path == "/api/v1/models/org/tiny/repo" and "FilePath" in query:
        name = query["FilePath"][0]
        return 200, {"name": name}, files[name]
    else:
        return 404, {"X-Error-Code": "RepoNotFound", "Content-Type": "application/json"}, b"{}"
    return 200, {"Content-Type": "application/json"}, json.dumps(listed).encode()
