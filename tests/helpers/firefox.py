"""A Firefox without a window, driven over WebDriver BiDi: where it is installed, the page is tried in it too."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from websockets.sync.client import ClientConnection, connect

from tests.conftest import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
KEYS = {"Escape": "\ue00c", "ArrowRight": "\ue014", "Enter": "\ue007"}


class Firefox:
    """One tab. `errors` are what its pages said that they must not."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.errors: list[str] = []
        self._send("session.new", capabilities={})
        self._send("session.subscribe", events=["log.entryAdded"])
        self._tab: str = self._send("browsingContext.getTree")["contexts"][0]["context"]

    def _send(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=120))
            if message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                self.errors.append(message["params"]["text"])
            if message.get("id") == self._number:
                assert message["type"] == "success", message
                return dict(message["result"])

    def size(self, width: int, height: int) -> None:
        viewport = {"width": width, "height": height}
        self._send("browsingContext.setViewport", context=self._tab, viewport=viewport)

    def go(self, path: Path, route: str = "") -> None:
        self._send("browsingContext.navigate", context=self._tab, url="about:blank", wait="complete")
        self._send("browsingContext.navigate", context=self._tab, url=path.as_uri() + route, wait="complete")

    def get(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self._send(
            "script.evaluate",
            expression=f"JSON.stringify({expression})",
            target={"context": self._tab},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"].get("value", "null"))

    def until(self, expression: str) -> None:
        wait_for(lambda: bool(self.get(expression)), 60)

    def text(self, selector: str) -> str:
        return str(self.get(f"document.querySelector({selector!r}).innerText"))

    def click(self, selector: str) -> None:
        """Press the middle of the first element that is shown."""
        found = f"[...document.querySelectorAll({selector!r})].find((one) => one.checkVisibility())"
        self.until(f"Boolean({found})")
        box = self.get(
            f"(() => {{ const one = {found}; one.scrollIntoView({{ block: 'center' }}); return one.getBoundingClientRect(); }})()"
        )
        x, y = round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)
        self._act(
            "pointer",
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        )

    def type(self, text: str) -> None:
        """Press the keys of a text, or one by its name."""
        keys = [KEYS[text]] if text in KEYS else list(text)
        self._act("key", *({"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")))

    def _act(self, kind: str, *actions: dict[str, Any]) -> None:
        source = {"type": kind, "id": kind, "actions": list(actions)}
        self._send("input.performActions", context=self._tab, actions=[source])


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """Start one with an empty profile; end it."""
    assert FIREFOX is not None
    profile.mkdir()
    command = [
        FIREFOX,
        "--headless",
        "--no-remote",
        "--profile",
        str(profile),
        "--remote-debugging-port",
        "0",
    ]
    with (profile / "said").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        listening: list[str] = []

        def is_listening() -> bool:
            text = (profile / "said").read_text(errors="replace")
            listening[:] = re.findall(r"WebDriver BiDi listening on (ws://\S+)", text)
            return bool(listening) or process.poll() is not None

        wait_for(is_listening, 120)
        with connect(f"{listening[0]}/session", max_size=None) as socket:
            yield Firefox(socket)
    finally:
        process.terminate()
        process.wait()
