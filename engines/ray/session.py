"""Owns how Ray is started or joined, and how it ends. Imports Ray only when it is used.

The Ray engine is the engine of `engines.threads`: all that decides stays in the driver (attempts, checks, pace, budget,
journal). The slow work is done by workers on all nodes (`engines.ray.cluster`), which are given paths and never pixels.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from errors import PackagesError, StopRunError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from engines.ray.cluster import Cluster

# Ray reads these while it is imported.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported
    # Ray would pack the working folder, config.env and journal included, and have every worker unpack it and call uv.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns of a future change
}
_STARTING = {
    # The name is about other systems; what it does everywhere is to keep Ray on loopback.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # When a run was killed, Ray's helpers look for the rest of it for this many seconds before they end.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
}
_JOINING = {
    "RAY_gcs_server_port_wait_time_s": "2"
}  # tries, of five seconds: for a cluster that is there, one is enough

LOCAL = "local"
"""The address, in Ray's own word, of a cluster that is started on this machine."""


@contextmanager
def ray_cluster(
    address: str,
    *,
    max_workers: int | None,
    max_side: int,
    stop: threading.Event,
    photos: int,
    videos: bool = False,
) -> Iterator[Cluster]:
    """Join the cluster at `address`; for `LOCAL` start one that only this machine can reach and that ends with the run.

    `photos` is how many this run has: for many, each worker gets ready for a long run.

    Raises:
        StopRunError: Ray is not installed, does not start, or does not answer.
    """
    os.environ.update(_ENVIRONMENT | (_STARTING if address == LOCAL else _JOINING))
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        del os.environ[name]  # all of Ray's processes would inherit it; workers are told what they need
    try:
        from engines.ray.cluster import Cluster  # noqa: PLC0415 - Ray takes seconds, and reads the variables
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ray":
            raise
        raise PackagesError(
            "The ray engine needs packages that are not installed (ray): leave out --ray, or get them.",
            extra="ray",
        ) from None
    # New, mode 700; not below TMPDIR, since the name of a socket may not be longer than a hundred characters.
    folder = tempfile.mkdtemp(prefix="captioner-ray-", dir="/tmp") if address == LOCAL else None
    try:
        _init(address, folder)
        cluster = Cluster(max_workers=max_workers, max_side=max_side, videos=videos, stop=stop, photos=photos)
        try:
            yield cluster
        finally:
            # With a thread in a call Ray would abort the process. Without this, Ray ends when the process does.
            if cluster.close():
                _leave()
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _is_silent(address: str) -> bool:
    """Tell whether nothing answers, which Ray would find out in a minute. Ray looks up `auto` and loopback itself."""
    host, _, port = address.rpartition(":")
    if host in {"", "localhost", "127.0.0.1"}:
        return False
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError:
        return True
    return False


def _init(address: str, folder: str | None) -> None:
    import ray  # noqa: PLC0415

    if not folder and _is_silent(address):
        raise _refusal(address, "nothing answers there")
    options: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": logging.CRITICAL}
    if folder:
        options |= {"include_dashboard": False, "_temp_dir": folder}
    handler = signal.getsignal(signal.SIGTERM)
    # A Ray that is started gets a second chance: on a busy machine it gives up on itself after half a minute.
    for last_try in (False, True) if folder else (True,):
        try:
            ray.init(**options)
        except SystemExit:  # Ray's answer to a SIGTERM, in place of ours
            signal.signal(signal.SIGTERM, handler)
            signal.raise_signal(signal.SIGTERM)
            raise
        except Exception as error:  # noqa: BLE001 - Ray raises whatever it meets
            _leave()
            if last_try:
                raise _refusal(address, " ".join(str(error).split())[:200]) from None
        else:
            return
        finally:
            signal.signal(signal.SIGTERM, handler)


def _refusal(address: str, reason: str) -> StopRunError:
    return StopRunError(
        f"Ray does not start on this machine ({reason}): fix that, or leave out --ray."
        if address == LOCAL
        else f"No Ray cluster can be joined at {address} ({reason}): start one as docs/scaling.md says, or "
        "give --ray without an address to use this machine alone."
    )


def _leave() -> None:
    import ray  # noqa: PLC0415

    with suppress(Exception):  # the cluster may be gone
        ray.shutdown()
