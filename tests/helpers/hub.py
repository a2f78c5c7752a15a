"""A Hugging Face Hub in small, on the loopback: it has one model, and counts what it is asked."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_COMMIT = "c0ffee" + "0" * 34


class Hub:
    """Serves the files of a folder as the model `name`; `url` is what HF_ENDPOINT is to be."""

    def __init__(self, folder: Path, name: str) -> None:
        self.requests: list[str] = []
        self.gated = False
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                hub.requests.append(f"{self.command} {path}")
                if path.startswith(f"/api/models/{name}/tree/"):
                    self._send(200, json.dumps([hub.entry(file) for file in folder.iterdir()]).encode())
                elif path.startswith(f"/api/models/{name}/"):
                    self._send(200, json.dumps({"id": name, "sha": _COMMIT, "siblings": []}).encode())
                elif hub.gated:
                    self._send(403, b"{}", X_Error_Code="GatedRepo")
                elif path.startswith(f"/{name}/resolve/"):
                    body = (folder / path.rpartition("/")[2]).read_bytes()
                    self._send(200, body, ETag=f'"{hub.digest(body)}"', X_Repo_Commit=_COMMIT)
                else:
                    self._send(404, b"{}", X_Error_Code="RepoNotFound")

            do_HEAD = do_GET  # noqa: N815 (the name is the library's)

            def _send(self, status: int, body: bytes, **headers: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                for key, value in headers.items():
                    self.send_header(key.replace("_", "-"), value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @staticmethod
    def digest(body: bytes) -> str:
        return hashlib.sha1(body).hexdigest()

    def entry(self, file: Path) -> dict[str, object]:
        body = file.read_bytes()
        return {"type": "file", "path": file.name, "size": len(body), "oid": self.digest(body)}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
