"""Owns the attention of vision towers in one call: photos and their windows lie end to end, and each sees itself alone.

Without it transformers makes a call for each of them in the Qwen families: tens of thousands for a batch. A tower gets a
few photos at a time. That fills any card, and how much memory it takes does not grow with the batch.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from errors import in_one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

PACKED = "packed_flash"
"""What transformers knows it by. By "flash" in a name it tells what takes all sequences at once; a digit would be a version."""
NEAR = 0.05
"""How far outputs may be apart, as a share of their length. Two bytes a number round to 0.015 of it (measured)."""

PHOTOS = 8
"""How many a tower gets at a time. With many, single tensors have more numbers than compiled code counts (2^31)."""

_log = logging.getLogger("captioner.local")


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention within each sequence, (1, tokens, heads, size), as transformers asks for it, and no weights.

    `query`, `key` and `value` are (1, heads, tokens, size); `cu_seq_lens_q` among the options says where the sequences
    begin and end.
    """
    del module, attention_mask  # a tower has no mask: its sequences are whole
    query, key, value = (one.squeeze(0).transpose(0, 1).contiguous() for one in (query, key, value))
    bounds, longest, scale = options["cu_seq_lens_q"], options["max_length_q"], options["scaling"]
    if query.is_cuda:
        from torch.nn.attention.varlen import varlen_attn

        # Torch 2.10 knows the usual scale alone.
        other = {} if scale == query.shape[-1] ** -0.5 else {"scale": scale}
        packed = varlen_attn(query, key, value, bounds, bounds, longest, longest, **other)
    else:
        packed = one_by_one(query, key, value, bounds, scale)
    return packed.unsqueeze(0), None  # type: ignore[union-attr]


def one_by_one(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bounds: torch.Tensor, scale: float
) -> torch.Tensor:
    """Return the same in plain torch and float32, (tokens, heads, size), from three of that shape."""
    import torch

    lengths = bounds.diff().tolist()
    outputs = []
    for parts in zip(*(torch.split(one.float(), lengths) for one in (query, key, value)), strict=True):
        q, k, v = (part.transpose(0, 1) for part in parts)
        outputs.append(((q @ k.mT * scale).softmax(-1) @ v).transpose(0, 1))
    return torch.cat(outputs).to(query.dtype)


def pack_vision(model: Any, inputs: Mapping[str, torch.Tensor]) -> None:
    """Let the model's vision tower make one call for several photos where card and model can; else leave it as it is.

    `inputs` are those of two photos, on the model's device: with them it is made sure that the outputs stay the same.
    """
    import torch

    tower = getattr(getattr(model, "model", None), "visual", None)
    half = model.dtype in {torch.bfloat16, torch.float16}
    if tower is None or "image_grid_thw" not in inputs or not half or not _card_can():
        return
    try:
        before = vision_outputs(model, inputs)
        use_packed(tower, photos=1)
        apart = distance(before, vision_outputs(model, inputs))
        if not apart < NEAR:  # NaN is not near either
            raise ValueError(f"outputs are {apart:.0%} apart")
        use_packed(tower)
    except Exception as error:  # noqa: BLE001 - whatever it is, there is the other way
        use_own(tower)
        _log.info(f"The photos of a batch are looked at one by one, which is slower: {in_one_line(error)}.")


def use_packed(tower: Any, photos: int = PHOTOS) -> None:
    """Set `packed_attention` on a vision tower, which looks at `photos` at a time. The text part keeps its own."""
    import torch
    from transformers import AttentionInterface

    use_own(tower)
    AttentionInterface.register(PACKED, packed_attention)
    tower.config._attn_implementation = PACKED  # noqa: SLF001 - there is no other way for a part of a model
    whole = tower.forward

    def forward(pixels: torch.Tensor, grid_thw: torch.Tensor, **options: Any) -> Any:
        if len(grid_thw) <= photos:
            return whole(pixels, grid_thw=grid_thw, **options)
        grids = torch.split(grid_thw, photos)  # time, height and width of each photo, in patches
        patches = torch.split(pixels, [int(grid.prod(-1).sum()) for grid in grids])
        return joined(
            [whole(some, grid_thw=grid, **options) for some, grid in zip(patches, grids, strict=True)]
        )

    tower.forward = forward


def use_own(tower: Any) -> None:
    """Leave a tower as transformers made it."""
    vars(tower).pop("forward", None)
    tower.config._attn_implementation = "sdpa"  # noqa: SLF001


def joined(parts: list[Any]) -> Any:
    """Return the outputs of a tower for all photos, given those for some: tensors with a row a token, in lists or by name."""
    import torch

    one = parts[0]
    if one is None:
        return None
    if isinstance(one, torch.Tensor):
        return torch.cat(parts)
    if isinstance(one, dict):
        return type(one)(**{name: joined([part[name] for part in parts]) for name in one})
    return [joined(list(several)) for several in zip(*parts, strict=True)]


def vision_outputs(model: Any, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return what the text part gets to see of the pictures, (tokens, size)."""
    import torch

    with torch.no_grad():  # as in `generate`: what is compiled under other modes is not used there
        seen = model.model.get_image_features(
            inputs["pixel_values"], inputs["image_grid_thw"], return_dict=True
        )
        return torch.cat(tuple(seen.pooler_output))


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return how far apart they are, as a share of the length of `one`."""
    return float((one.float() - other.float()).norm() / one.float().norm())


def _card_can() -> bool:
    """Tell whether the card and torch have the kernel: an RTX 30 or newer, and torch 2.10."""
    from importlib.util import find_spec

    import torch

    found = find_spec("torch.nn.attention.varlen") is not None
    return found and torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)
