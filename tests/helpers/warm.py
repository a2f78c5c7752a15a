"""Starts Python scripts in processes of their own that have torch and transformers imported already.

Importing them takes 15 s of a core, and many tests need such a process. A server imports them once and forks; what is
forked is a real process with its own signals, exit code and output, which can be killed as any other.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.helpers.warm_imports"])


class WarmProcess:
    """What `subprocess.Popen([python, *command])` would be; its output goes to files in `folder`."""

    def __init__(self, command: list[str], *, cwd: Path, env: Mapping[str, str], folder: Path) -> None:
        self._files = folder / f"{time.monotonic_ns()}.out", folder / f"{time.monotonic_ns()}.err"
        arguments = (command, str(cwd), dict(env), *map(str, self._files))
        self._process = _context.Process(target=_run, args=arguments)
        self._process.start()
        assert self._process.pid
        self.pid = self._process.pid
        self.args = command

    def poll(self) -> int | None:
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def said(self) -> str:
        """Return what has come on stderr so far."""
        return self._files[1].read_text() if self._files[1].exists() else ""

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self._process.join(timeout)
        if self._process.is_alive():
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self._files[0].read_text(), self.said()


def _run(command: list[str], cwd: str, env: dict[str, str], out: str, err: str) -> None:
    os.setpgid(0, 0)
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = command
    sys.path[0] = str(Path(command[0]).parent)
    runpy.run_path(command[0], run_name="__main__")
