"""Owns what works where on a Ray cluster: how the machines' processors and cards are shared out, and the backend made of it.

driver ─► paths ─► decoding workers, one a node ─► pictures in Ray's object store ─► captioning workers ─► driver
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from backends import BACKENDS, backend_class
from engines.ray.remote import Pool, RemoteBackend, RemoteDecoder, Start, alive_nodes
from engines.ray.workers import CaptioningWorker, DecodingWorker
from errors import StopRunError

if TYPE_CHECKING:
    import threading

    from ray.actor import ActorClass

    from config import Settings

CALLS = 32
"""Calls in flight in one worker: with more, its threads would wait for each other and not for the server."""
AHEAD = 2
"""Photos on their way to a node in addition to those it decodes, so that no decoder waits for the driver."""

_log = logging.getLogger("captioner.engine")


@dataclass(frozen=True, slots=True)
class _Node:
    """A machine of the cluster, and how its processors and cards are shared out."""

    id: str
    decoders: int
    captioners: int
    cpus: int = 0
    gpus: int = 0


class Cluster:
    """The workers of one run. `decoders` are for the engine, one for each photo on its way."""

    def __init__(
        self,
        *,
        max_workers: int | None,
        max_side: int,
        stop: threading.Event,
        photos: int,
        videos: bool = False,
    ) -> None:
        self._max_workers = max_workers
        self._max_side = max_side
        self._videos = videos
        self._photos = photos
        self._stop = stop
        self._pools: list[Pool] = []
        self.decoders: list[RemoteDecoder] = []

    def load_backend(
        self, name: str, model: str | None, settings: Settings, prompt: str, **options: object
    ) -> RemoteBackend:
        """Start the workers; return the backend that each of them has, as soon as one has it.

        Raises:
            StopRunError: its packages, its key or its model are missing, or there is no place for a worker.
        """
        kind = backend_class(name)
        calls = self._max_workers or kind.max_workers
        nodes = _share_out(calls, one_at_a_time=kind.single_threaded)
        _log.info(f"Ray has {len(nodes)} node{'s' if len(nodes) > 1 else ''} for this run.")
        # No `stop`: the engine ends decoders itself, and ignores what they report after that.
        decoders = Pool("decode", [self._decoding(node) for node in nodes])
        self._pools.append(decoders)
        self.decoders = [RemoteDecoder(decoders) for node in nodes for _ in range(node.decoders + AHEAD)]

        places = [node for node in nodes for _ in range(node.captioners)]
        # One batch is in the model while another is prepared.
        room = 2 if kind.single_threaded else ceil(calls / len(places))
        known = model or BACKENDS[name].default_model

        def start(model: str | None, node: _Node) -> Start:
            # Not with the constructor: its arguments would lie in the cluster's own tables, keys among them.
            arguments = (name, model, settings, prompt, options, self._photos // len(places))
            worker = _actor(CaptioningWorker, node, room, num_cpus=node.cpus, num_gpus=node.gpus)
            return Start(node.id, room, worker.remote, lambda actor: actor.prepare.remote(*arguments))

        # Without a given model, the first worker's card decides, and the others take the same.
        first = places if known else places[:1]
        workers = Pool("caption", [start(known, node) for node in first], self._stop)
        self._pools.append(workers)
        facts, said = workers.wait_for_one()
        for line in said:
            _log.info(line)
        workers.add([start(facts["model"], node) for node in places[len(first) :]])
        decoders.wait_for_one()
        return RemoteBackend(workers, facts, copies=len(places))

    def close(self) -> bool:
        """End the workers; tell whether all calls have come back."""
        for pool in self._pools:
            pool.close()
        return all(pool.wait_until_idle() for pool in self._pools)

    def _decoding(self, node: _Node) -> Start:
        room = node.decoders + AHEAD
        worker = _actor(DecodingWorker, node, room, num_cpus=node.decoders)
        make = partial(worker.remote, self._max_side, node.decoders, self._videos)
        return Start(node.id, room, make, prepare=lambda actor: actor.ready.remote())


def _actor(kind: type, node: _Node, room: int, **needs: int) -> ActorClass[Any]:
    place = NodeAffinitySchedulingStrategy(node.id, soft=False)
    # A thread more than there are calls: the first questions must not wait behind them.
    actor: ActorClass[Any] = ray.remote(kind)
    return actor.options(max_concurrency=room + 1, scheduling_strategy=place, **needs)


def _share_out(calls: int, *, one_at_a_time: bool) -> list[_Node]:
    """Return the machines that have processors to give, and how many of them decode.

    A model has its card and its part of half the processors, which prepare its pictures; where the whole cluster has no
    card, a model a machine has all processors but one. Calls to a server take next to none.

    Raises:
        StopRunError: there is no such machine.
    """
    found = [
        (node["NodeID"], int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0)))
        for node in alive_nodes()
    ]
    found = [node for node in found if node[1]]
    if not found:
        raise StopRunError(
            "The Ray cluster has no processors to give: add a machine with `ray start --address ...` (docs/scaling.md)."
        )
    if not one_at_a_time:
        captioners = ceil(calls / len(found) / CALLS)
        return [_Node(name, cpus, min(captioners, cpus)) for name, cpus, _ in found]
    if not any(gpus for _, _, gpus in found):
        return [_Node(name, 1, 1, cpus=cpus - 1) for name, cpus, _ in found]
    nodes = []
    for name, cpus, gpus in found:
        each = cpus // 2 // gpus if gpus else 0
        nodes.append(_Node(name, cpus - each * gpus, gpus, cpus=each, gpus=1))
    return nodes
