"""A server on loopback that speaks the providers' wire formats, for the real SDKs to talk to."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conftest import Product

KEYS = {
    "openai": "OPENAI_API_KEY",
    "xai": "XAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
}
DIALECTS = tuple(KEYS)
KEY = "sk-secret-0123456789abcdef"


@dataclass
class Reply:
    """One answer: a JSON value or raw bytes; `cut` closes the connection in the middle of the body."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    content_type: str = "application/json"


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: Any
    raw: bytes
    at: float

    @property
    def text(self) -> str:
        """Everything that was sent, as one text to search."""
        return json.dumps(self.headers) + self.path + self.raw.decode()

    def jpeg(self) -> bytes:
        """The picture in the request, whatever the dialect."""
        found = list(_pictures(self.body))
        assert len(found) == 1
        return found[0]


def _pictures(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "url" and isinstance(item, str):
                yield base64.b64decode(item.partition(",")[2])
            elif name == "data" and isinstance(item, str):
                yield base64.urlsafe_b64decode(item.replace("+", "-").replace("/", "_"))
            else:
                yield from _pictures(item)
    elif isinstance(value, list):
        for item in value:
            yield from _pictures(item)


Script = Callable[[int, Request], Reply | None]


class Provider:
    """The server. `script(number, request)` gives the answer to a request, counted from 0; None means a good one."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.requests: list[Request] = []
        self.script: Script = lambda number, request: None
        self.most_at_once = self._at_once = 0
        self._lock = threading.Lock()
        self.url = ""
        self.models: dict[str, Any] = {}
        """What a GET answers with: the list of models; nothing: such a server has none."""

    def good(
        self,
        text: str = "A brown dog on a lawn.",
        *,
        finish: str = "stop",
        tokens: tuple[int, int] = (1000, 20),
    ) -> Reply:
        """A successful answer in the dialect; `finish` in OpenAI's words."""
        if self.dialect in {"openai", "xai"}:
            usage: dict[str, Any] = {
                "prompt_tokens": tokens[0],
                "completion_tokens": tokens[1],
                "total_tokens": sum(tokens),
            }
            if self.dialect == "xai":
                usage["cost_in_usd_ticks"] = 12_345_678
            message = {"role": "assistant", "content": text, "refusal": None}
            if finish == "refusal":
                message |= {"content": None, "refusal": text}
                finish = "stop"
            return Reply(
                body={
                    "id": "chatcmpl-1",
                    "object": "chat.completion",
                    "created": 1,
                    "model": "served",
                    "choices": [{"index": 0, "message": message, "finish_reason": finish}],
                    "usage": usage,
                }
            )
        if self.dialect == "anthropic":
            reason = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}.get(
                finish, finish
            )
            return Reply(
                body={
                    "id": "msg_1",
                    "type": "message",
                    "role": "assistant",
                    "model": "served",
                    "content": [{"type": "text", "text": text}] if text else [],
                    "stop_reason": reason,
                    "stop_sequence": None,
                    "usage": {"input_tokens": tokens[0], "output_tokens": tokens[1]},
                }
            )
        reason = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY", "refusal": "SAFETY"}[
            finish
        ]
        return Reply(
            body={
                "candidates": [
                    {
                        "content": {"role": "model", "parts": [{"text": text}]},
                        "finishReason": reason,
                        "index": 0,
                    }
                ],
                "usageMetadata": {"promptTokenCount": tokens[0], "candidatesTokenCount": tokens[1]},
                "modelVersion": "served",
            }
        )

    def error(self, status: int, code: str = "", message: str = "no", **headers: str) -> Reply:
        """A failure in the dialect's own shape."""
        body: dict[str, Any]
        if self.dialect == "openai":
            body = {
                "error": {
                    "message": message,
                    "type": code or "server_error",
                    "param": None,
                    "code": code or None,
                }
            }
        elif self.dialect == "xai":
            body = {"code": code, "error": message}
        elif self.dialect == "anthropic":
            body = {
                "type": "error",
                "error": {"type": code or "api_error", "message": message},
                "request_id": "r",
            }
        else:
            details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code}] if code else []
            body = {"error": {"code": status, "message": message, "status": "X", "details": details}}
        return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})

    @property
    def base_url(self) -> str:
        return self.url + ("/v1" if self.dialect in {"openai", "xai"} else "")

    def answer(self, request: Request) -> Reply:
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            reply = self.script(number, request) or self.good()
            time.sleep(reply.delay)
            return reply
        finally:
            with self._lock:
                self._at_once -= 1

    @contextmanager
    def serve(self) -> Iterator[Provider]:
        """Answer on a free port of loopback while the block lasts."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                data = json.dumps(provider.models).encode()
                self.send_response(200 if provider.models else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request(self.path, dict(self.headers), json.loads(raw), raw, time.monotonic())
                reply = provider.answer(request)
                data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                with suppress(OSError):
                    self.send_response(reply.status)
                    self.send_header("Content-Type", reply.content_type)
                    self.send_header("Content-Length", str(len(data)))
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data[: len(data) // 2] if reply.cut else data)
                if reply.cut:
                    self.close_connection = True
                    with suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that went away

        server = Server(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def closed_port() -> int:
    """Return a port of loopback on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def run(product: Product, provider: Provider, *more: str, code: int = 0) -> str:
    """Run the product with this server; return what it said."""
    product.env[KEYS[provider.dialect]] = KEY
    server = ("--base-url", provider.base_url)
    where = ("--photos-dir", str(product.photos))
    return product.call("run", "--backend", provider.dialect, *server, *where, *more, code=code).stderr
