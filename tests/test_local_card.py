"""What a card is told when a local model is made, as far as that can be seen without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend
from torch.utils._python_dispatch import TorchDispatchMode

from backends.attention import packed_attention
from tests.helpers.local_backend import load, models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

__all__ = ["models"]  # fixtures


class Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps which kernel the calls of packed attention were for."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernels: list[int] = []

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "varlen_attn" in str(call):
            self.kernels += args[14:] or [SDPBackend.FLASH_ATTENTION.value]  # which is the default
        return call(*args, **kwargs or {})


def test_attention_never_waits_for_plans(models: Callable[[str], Path]) -> None:
    """On an H100 torch would have cuDNN, which plans at every new number of windows or tokens."""
    torch.backends.cuda.enable_cudnn_sdp(True)
    load(models("qwen2_5_vl"))
    assert not torch.backends.cuda.cudnn_sdp_enabled()  # type: ignore[no-untyped-call]
    with FakeTensorMode(), Seen() as seen:
        query = torch.empty(1, 16, 4000, 80, dtype=torch.bfloat16, device="cuda")
        bounds = torch.empty(65, dtype=torch.int32, device="cuda")
        options = {"cu_seq_lens_q": bounds, "max_length_q": 64, "scaling": 80**-0.5}
        packed_attention(torch.nn.Module(), query, query, query, None, **options)
    assert seen.kernels == [SDPBackend.FLASH_ATTENTION.value]
