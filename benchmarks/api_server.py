"""Answers like an OpenAI server after a latency, as a process of its own; tells on its last line what it saw.

It knows nothing of pictures and parses no body, so that it leaves the cores to what is measured. It ends when its
standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import sys
import time

_BODY = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "%s"}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020},
    }
)
_WORDS = (
    "dog cat child beach garden street red blue green old young happy small big tree house boat car".split()
)


class Server:
    def __init__(self, latency: list[float], rate: float, burst: float) -> None:
        self.latency, self.rate, self.burst = latency, rate, burst
        self.room, self.last = burst, time.monotonic()
        self.admitted: list[float] = []
        self.refused: list[float] = []
        self.chance = random.Random(0)

    def seconds(self) -> float:
        low, high = self.latency[0], self.latency[-1]
        return math.exp(self.chance.uniform(math.log(low), math.log(high))) if high > low else low

    def answer(self) -> tuple[float, bytes]:
        """Return after how many seconds to send what."""
        now = time.monotonic()
        if self.rate:
            self.room = min(self.burst, self.room + (now - self.last) * self.rate)
            self.last = now
            if self.room < 1:
                self.refused.append(now)
                return 0.02, _http(
                    "429 Too Many Requests", '{"error": {"message": "slow down"}}', "Retry-After: 1\r\n"
                )
            self.room -= 1
        self.admitted.append(now)
        words = " ".join(self.chance.sample(_WORDS, 5))
        return self.seconds(), _http("200 OK", _BODY % f"A picture of {words}.")


class Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.server = server
        self.seen = bytearray()
        self.needed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.seen += data
        if not self.needed:
            end = self.seen.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.seen[:end]).lower()
            if head.startswith(b"get "):  # what is known of the model: nothing here
                del self.seen[: end + 4]
                self.transport.write(_http("404 Not Found", "{}"))
                return
            self.needed = end + 4 + int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(self.seen) >= self.needed:
            del self.seen[: self.needed]
            self.needed = 0
            seconds, reply = self.server.answer()
            asyncio.get_running_loop().call_later(seconds, self.transport.write, reply)


def _http(status: str, body: str, more: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def _serve(server: Server) -> None:
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0, backlog=1000)
    print(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--latency", type=float, nargs="+", default=[0.5], help="seconds; two numbers: log-uniform between"
    )
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second that are admitted; 0: all")
    parser.add_argument("--burst", type=float, default=5.0)
    options = parser.parse_args()
    server = Server(options.latency, options.rate, options.burst)
    asyncio.run(_serve(server))
    print(json.dumps({"admitted": server.admitted, "refused": server.refused}))


if __name__ == "__main__":
    main()
