"""Owns what the user asked for, checked: what the doors hand to a run or an estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journal import MOCK

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from cli.doors import Shard
    from cli.redo import Redo
    from engines.vocabulary import Vocabulary
    from library.exclusion import Exclusion

REPLACED = "replaced"
"""What `--retry-status` calls the photos whose file is another one than the one that their record is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Which photos and what captions them: what an estimate must know, and a run too."""

    backend: str
    model: str | None
    photos_dir: Path | None
    captions_jsonl: Path
    prompt: str
    base_url: str | None
    max_workers: int | None
    limit: int | None
    retry_statuses: frozenset[str]
    videos: bool
    shard: Shard | None
    exclude: Exclusion | None
    tags: Vocabulary | None  # which tags are asked for; None: captions alone
    redo: Redo | None

    @property
    def asked(self) -> str:
        """What a model is asked: the prompt, with the words for tags."""
        return self.tags.asked(self.prompt) if self.tags else self.prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(Options):
    """What a run must know as well."""

    budget: Decimal | None
    force: bool
    dry_run: bool
    restart_every: int
    tier: str | None
    ray: str | None  # the cluster's address, or `local` for a Ray of this run alone
    quantize: str | None
    trust_remote_code: bool
    mock_options: dict[str, float]

    @property
    def mock(self) -> bool:
        """Whether the mock makes the captions, whatever --backend says."""
        return self.dry_run or self.backend == MOCK

    @property
    def backend_options(self) -> dict[str, Any]:
        """The further arguments of the backend, after model, settings and prompt."""
        tags = {"tags": True} if self.tags else {}
        if self.mock:
            return self.mock_options | tags
        if self.backend == "local":
            return {"quantize": self.quantize, "trust_remote_code": self.trust_remote_code} | tags
        given = {"base_url": self.base_url, "tier": self.tier}
        return {name: value for name, value in given.items() if value} | tags
