"""Owns a Ray cluster of several nodes on this machine, in a process of its own, so that pytest has none of it.

    python -m tests.helpers.ray_cluster NODES

Prints a line of JSON: the address and the process ids of the raylets. A line `add` on its stdin adds a node, whose
raylet it prints; the end of its stdin ends it all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.conftest import ROOT
from tests.helpers.provider import Provider

CPUS, GPUS = 2, 1
"""Of each node, in Ray's books: a card is only a number there, which a model on the processor does not miss."""
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Who joins must have this in its environment too: Ray otherwise takes loopback for the machine's outer address."""
_ENVIRONMENT = LOOPBACK | {
    "RAY_USAGE_STATS_ENABLED": "0",
    # A dead node is known as such after a second instead of fifteen.
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "3",
}


class RayNodes:
    """The cluster, from `with` to its end."""

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self.address = ""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the cluster
        self.raylets: list[int] = []

    def __enter__(self) -> Self:
        for _ in range(3):  # on a busy machine Ray gives up on a node that is only slow
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.helpers.ray_cluster", str(self._nodes)],
                cwd=ROOT,
                # What the workers need to find the backends of the tests, beside what they find by themselves.
                env=os.environ
                | _ENVIRONMENT
                | {"PYTHONPATH": f"{ROOT / 'tests' / 'helpers' / 'in_workers'}{os.pathsep}{ROOT}"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
            )
            assert self._process.stdout
            if line := self._process.stdout.readline():
                self.address, self.raylets = json.loads(line)
                break
            self._process.communicate()
        if not self.address:
            self._said.seek(0)
            raise AssertionError(
                f"Ray does not start: {self._said.read().decode('utf-8', 'replace')[-3000:]}"
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._said.close()

    def add(self) -> None:
        """Add a node; its raylet is the last of `raylets`."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("add\n")
        self._process.stdin.flush()
        self.raylets.append(json.loads(self._process.stdout.readline()))

    def workers(self, kind: str) -> list[int]:
        """Return the process ids of the actors of this class, those of the first node first."""
        found = []
        for raylet in self.raylets:
            for folder in Path("/proc").iterdir():
                try:
                    line = (folder / "cmdline").read_bytes()
                    parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                except (OSError, IndexError):
                    continue
                if line.startswith(f"ray::{kind}".encode()) and int(parent) == raylet:
                    found.append(int(folder.name))
        return found


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with RayNodes(2) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider("openai").serve() as running:
        yield running


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ray-test-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        # Where no Ray ever ran, nothing has made the folder in which the address of the last cluster is kept.
        os.environ["RAY_TMPDIR"] = folder
        os.mkdir(os.path.join(folder, "ray"))
        from ray.cluster_utils import Cluster  # noqa: PLC0415 - in this process only

        serve(Cluster, folder, int(sys.argv[1]))


def serve(make: Any, folder: str, count: int) -> None:
    # Without what scales a cluster and what brings logs to drivers: processes that every node would start.
    options: dict[str, Any] = {"num_cpus": CPUS, "num_gpus": GPUS, "include_dashboard": False}
    options |= {"include_log_monitor": False, "no_monitor": True}
    cluster = make(initialize_head=True, head_node_args=options | {"temp_dir": folder})

    def raylet(node: Any) -> int:
        number: int = node.all_processes["raylet"][0].process.pid
        return number

    raylets = [raylet(cluster.head_node)]
    raylets += [raylet(cluster.add_node(**options)) for _ in range(count - 1)]
    print(json.dumps((cluster.address, raylets)), flush=True)
    for _ in sys.stdin:
        print(raylet(cluster.add_node(**options)), flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
