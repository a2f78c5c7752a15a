"""Owns reading a path from the command line: `~` is the home folder in every flag, also in `--flag=~/x`."""

from __future__ import annotations

import os
from pathlib import Path


def home_expanded(text: str | Path) -> Path:
    """Return the path with `~` replaced; a shell does that only at the beginning of a word."""
    return Path(os.path.expanduser(text))
