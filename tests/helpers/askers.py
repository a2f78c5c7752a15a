"""Captions of two groups, and a language model that answers questions about them as a test says."""

from __future__ import annotations

from typing import Any

DOGS = [f"A brown dog runs over lawn number {number}." for number in range(20)]
CAKES = [f"A birthday cake with {number} candles on a table." for number in range(20)]


class Answers:
    """An asker that remembers what it was asked, and gives one answer after the other."""

    model = "any/model"

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def ask(self, questions: Any, what: str) -> list[str]:
        self.asked += [what, *questions]
        return [self.answers.pop(0) if self.answers else "" for _ in questions]
