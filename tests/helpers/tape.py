"""A tape for a model's steps, as a CUDA graph on a card: the same calls on the same memory, without the model's own code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Callable


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps the calls made under it, with their tensors, and undoes what they changed: a card only records."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self._undo: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.plays = 0

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if call is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        if call._schema.is_mutable:
            for argument, value in zip(call._schema.arguments, args, strict=False):
                if argument.alias_info and argument.alias_info.is_write:
                    self._undo += [(one, one.clone()) for one in tree_leaves(value)]
        output = call(*args, **kwargs)
        self.calls.append((call, args, kwargs, output))
        return output

    def rewind(self) -> None:
        while self._undo:
            changed, before = self._undo.pop()
            changed.copy_(before)

    def play(self) -> None:
        self.plays += 1
        for call, args, kwargs, output in self.calls:
            again = call(*args, **kwargs)
            for old, new in zip(tree_leaves(output), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Tapes:
    """What records steps; keeps all tapes."""

    def __init__(self) -> None:
        self.tapes: list[Tape] = []

    def __call__(self, step: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        tape = Tape()
        self.tapes.append(tape)
        try:
            with tape:
                output = step()
        finally:
            tape.rewind()
        return tape.play, output
