"""Owns what a model of pictures and texts sees: the subjects of the vocabulary that photos and groups are most like.

Never loads a model: it is given one, and asks it for the subjects' vectors when they are first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from report.naming.vocabulary import VOCABULARY, prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from report.vectors.base import Embedder

    Floats = NDArray[np.float32]

_NEAREST = 30
_TOLD = 10
"""This many of the subjects nearest to a group are told: those that set it apart most from the other groups."""


class Sight:
    """The pictures' vectors (n, d) of `rel_paths`, a row each, and the model that made them."""

    def __init__(self, rel_paths: Sequence[str], images: Floats, embedder: Embedder) -> None:
        self._rows = {rel_path: row for row, rel_path in enumerate(rel_paths)}
        self._images = images
        self._embedder = embedder
        self._subjects: Floats | None = None

    def match(self, rel_paths: Sequence[str]) -> list[str]:
        """Return the subject that each photo is most like: a `naming.Match`."""
        rows = [self._rows[path] for path in rel_paths]
        best = (self._images[rows] @ self._of_subjects().T).argmax(axis=1)
        return [VOCABULARY[index] for index in best.tolist()]

    def of_groups(self, labels: NDArray[np.integer]) -> list[list[str]]:
        """Return for each group 0 to k-1 of the rows the subjects that are typical of it, best first.

        The nearest subject alone is often one that is near to every photo; so of the nearest ones those count that are nearer
        to this group than to the others on average.
        """
        count = int(labels.max(initial=-1)) + 1
        sums = np.zeros((count, self._images.shape[1]), np.float32)
        np.add.at(sums, labels[labels >= 0], self._images[labels >= 0])
        sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        near = sums @ self._of_subjects().T
        apart = near - (near.sum(axis=0) - near) / (count - 1) if count > 1 else near
        told = []
        for nearness, contrast in zip(near, apart, strict=True):
            nearest = np.argsort(-nearness, kind="stable")[:_NEAREST]
            best = nearest[np.argsort(-contrast[nearest], kind="stable")][:_TOLD]
            told.append([VOCABULARY[index] for index in best.tolist()])
        return told

    def _of_subjects(self) -> Floats:
        if self._subjects is None:
            self._subjects = self._embedder.texts([prompt(subject) for subject in VOCABULARY])
        return self._subjects
