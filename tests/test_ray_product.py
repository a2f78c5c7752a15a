"""The product as a process on a Ray cluster: keys, kills, cards, and a cluster that is not there."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Product, draw, wait_for
from tests.helpers.provider import KEY, Provider, closed_port
from tests.helpers.ray_cluster import LOOPBACK, RayNodes, nodes, provider
from tests.helpers.tiny_model import build

__all__ = ["nodes", "provider"]  # fixtures

pytestmark = pytest.mark.slow


@pytest.fixture
def member(product: Product, nodes: RayNodes) -> Product:
    product.env |= LOOPBACK
    return product


def test_the_product_on_a_cluster(member: Product, nodes: RayNodes, provider: Provider) -> None:
    """A key in config.env, two nodes; the driver killed in mid-run, then a Ctrl-C, and the shown command goes on."""
    (member.folder / "config.env").write_text(f"OPENAI_API_KEY={KEY}\n")
    for number in range(40):
        draw(member.photos / "many" / f"{number:02}.png", size=(8, 8))
    flags = [
        "run",
        "--backend",
        "openai",
        "--base-url",
        provider.base_url,
        "--photos-dir",
        str(member.photos),
    ]
    flags += ["--ray", nodes.address, "--shard", "1/1", "--max-workers", "2"]

    slow = provider.good()
    slow.delay = 0.2
    provider.script = lambda number, _: slow
    process = member.popen(*flags)
    wait_for_lines(member, process, 4)
    process.kill()
    said = process.communicate()[1]
    assert "Ray has 2 nodes for this run." in said
    assert f"pixels of your photos go to {provider.url.removeprefix('http://')}" in said
    wait_for(lambda: not nodes.workers("CaptioningWorker") + nodes.workers("DecodingWorker"), 60)
    assert len(member.lines()) == len(member.records()) < 30
    process = member.popen(*flags)
    wait_for_lines(member, process, member.line_count() + 4)
    os.killpg(process.pid, signal.SIGINT)
    code, said = member.finish(process, 60)
    assert code == 130, said
    way = said[said.index("Go on with:") :]
    assert "uv run --extra api --extra ray python" in way
    assert f"--ray {nodes.address} --shard 1/1" in way
    provider.script = lambda number, _: None
    member.call(*flags)
    assert len(member.lines()) == len(member.records()) == 52
    assert len(provider.requests) <= 50 + 2 + 2  # what is in flight when a driver ends may be paid for twice
    assert {request.headers["authorization"] for request in provider.requests} == {f"Bearer {KEY}"}


def test_pictures_that_are_lost_with_a_node(member: Product, nodes: RayNodes) -> None:
    """Pictures too large for Ray's messages, which lie on the node that decoded them and wait for the other's backend."""
    for number in range(40):
        draw(member.photos / "many" / f"{number:02}.png", size=(500, 400))
    flags = ["run", "--backend", "mock", "--mock-latency", "0.5", "--photos-dir", str(member.photos)]
    flags += [f"--ray={nodes.address}", "--max-workers", "4"]
    process = member.popen(*flags)
    wait_for_lines(member, process, 8)
    os.kill(nodes.raylets.pop(), signal.SIGKILL)
    code, said = member.finish(process, 120)
    nodes.add()
    assert code == 0, said
    assert len(member.lines()) == len(member.records()) == 52
    assert sum(line["status"] == "success" for line in member.records().values()) == 50


def wait_for_lines(product: Product, process: subprocess.Popen[str], count: int) -> None:
    """Wait for a run that is under way; what it said is shown if it ends before."""
    wait_for(lambda: product.line_count() >= count or process.poll() is not None, 240)
    assert process.poll() is None, process.communicate()[1]


def started(mark: str) -> dict[int, str]:
    """Return the processes that bear the mark in their environment, and how they call themselves."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and mark.encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def test_a_ray_of_the_runs_own(product: Product, provider: Provider) -> None:
    """It is out of reach of other machines, knows no key but by being told, and dies with its driver."""
    product.env |= {"RAY_TEST_MARK": product.folder.name + str(os.getpid()), "OPENAI_API_KEY": KEY}
    mark = f"RAY_TEST_MARK={product.env['RAY_TEST_MARK']}"
    reply = provider.good()
    reply.delay = 0.3
    provider.script = lambda number, _: reply
    flags = [
        "run",
        "--backend",
        "openai",
        "--base-url",
        provider.base_url,
        "--photos-dir",
        str(product.photos),
    ]
    flags += ["--ray", "--max-workers", "1"]
    before = set(Path("/tmp").glob("captioner-ray-*"))
    process = product.popen(*flags)
    wait_for_lines(product, process, 4)
    ours = started(mark)
    assert any("raylet" in name for name in ours.values())
    assert any("ray::CaptioningWorker" in name for name in ours.values())
    for pid in set(ours) - {process.pid}:
        assert KEY.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        assert KEY not in ours[pid]
    (folder,) = set(Path("/tmp").glob("captioner-ray-*")) - before
    for path in folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    for family in ("/proc/net/tcp", "/proc/net/tcp6"):
        inodes = {
            os.readlink(fd) for pid in ours for fd in Path(f"/proc/{pid}/fd").glob("*") if _is_socket(fd)
        }
        for line in Path(family).read_text().splitlines()[1:]:
            _, local, _, state, *_rest = line.split()
            if state == "0A" and f"socket:[{line.split()[9]}]" in inodes:
                assert local.partition(":")[0] in LOOPBACKS, "it listens to others"
    process.kill()
    process.communicate()
    wait_for(lambda: not started(mark), 90)
    done = product.line_count()
    assert product.call(*flags).stderr.count("Starting Ray.") == 1
    assert len(product.lines()) == len(product.records()) == 12
    assert product.line_count() > done
    assert not started(mark)
    assert set(Path("/tmp").glob("captioner-ray-*")) - before == {folder}  # that of the run that was killed
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    folder.rmdir()


LOOPBACKS = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
"""127.0.0.1, the same as IPv6 has it, and ::1, as the kernel writes them."""


def _is_socket(path: Path) -> bool:
    try:
        return os.readlink(path).startswith("socket:")
    except OSError:
        return False


def test_a_model_on_every_card(member: Product, nodes: RayNodes, tmp_path: Path) -> None:
    """Two nodes with a card each, which are a number in Ray's books: two models side by side, in batches."""
    model = build("qwen2_5_vl", tmp_path / "tiny-qwen2_5_vl")
    for number in range(30):
        draw(member.photos / "many" / f"{number:02}.png", size=(96, 96))
    flags = ["run", "--backend", "local", "--model", str(model), "--photos-dir", str(member.photos)]
    flags += ["--engine", "ray", "--ray-address", nodes.address, "--max-workers", "8"]  # as in version 0.1
    process = member.popen(*flags)
    wait_for_lines(member, process, 6)
    assert len(nodes.workers("CaptioningWorker")) == 2
    code, said = member.finish(process, 240)
    assert code == 0
    assert f"will be gone in the next version: give --ray {nodes.address}." in said
    assert "as float32" in said
    assert "Ignoring --max-workers." in said
    assert "with local/tiny-qwen2_5_vl, 8 at a time" in said
    records = member.records().values()
    assert sum(line["status"] == "success" for line in records) == 40
    assert {line.get("model") for line in records} == {"local/tiny-qwen2_5_vl", None}


def test_a_cluster_that_is_not_there(product: Product) -> None:
    start = time.monotonic()
    address = f"127.0.0.2:{closed_port()}"
    said = product.run("--ray", address, code=1)
    assert f"No Ray cluster can be joined at {address}" in said
    assert "give --ray without an address to use this machine alone." in said
    assert time.monotonic() - start < 40
    assert not product.lines()


def test_without_the_package(product: Product, tmp_path: Path) -> None:
    (tmp_path / "shim").mkdir()
    (tmp_path / "shim" / "sitecustomize.py").write_text("import sys\nsys.modules['ray'] = None\n")
    product.env["PYTHONPATH"] = str(tmp_path / "shim")
    said = product.run("--ray", code=1)
    assert "Get them with: uv run --extra ray python" in said
    assert not product.lines()
    assert said.count("leave out --ray,") == 1
    assert "will be gone in the next version: leave it out." in product.run("--engine", "threads")


@pytest.mark.parametrize(
    "flags",
    [
        ["--ray-address", "auto"],
        ["--engine", "spark"],
        ["--engine", "ray", "--ray", "auto"],
        ["--engine", "ray", "--ray-address", "nowhere"],
        ["--ray", "ray://10.0.0.1:10001"],
        ["--ray=nowhere"],
        ["--ray", ""],
    ],
)
def test_wrong_flags(product: Product, flags: list[str]) -> None:
    product.run(*flags, code=64)
