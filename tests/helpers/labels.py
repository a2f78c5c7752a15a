"""Labels for tests of names: captions that are hard to name by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from report.naming.naming import (
    Label,
    one_line,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

CAPTION = st.text(max_size=40) | st.sampled_from(
    [
        "a dog",
        "A dog.",
        "a  dog",
        "a dog (2)",
        "Group 0",
        "unclustered!",
        "🎂",
        "一只狗在海滩上",
        "犬",
        "\u202e",
        "'=1+1",
        "|",
    ]
)


def captioned(texts: Sequence[str]) -> dict[str, Label]:
    return {f"{row:05}.jpg": Label(one_line(text), "caption") for row, text in enumerate(texts)}
