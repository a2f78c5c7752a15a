"""Owns how a path on the command line is read: `~` is the home folder in every flag, also in `--flag=~/x`."""

from __future__ import annotations

import os
from pathlib import Path


def home_expanded(text: str | Path) -> Path:
    """Return the path with `~` replaced; a shell does so only where the word begins with it."""
    return Path(os.path.expanduser(text))
