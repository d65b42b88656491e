"""A matrix of choices as data: its dimensions, what cannot be joined, and its cases: all, or few with every pair.

A case chooses one value of each dimension.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

Case = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Values that cannot be joined: a case that has, of each dimension in `when`, the value there is refused.

    `path` and `message` are what a user is told, as a problem of the document.
    """

    when: Mapping[str, str]
    path: str
    message: str

    def is_of(self, case: Case) -> bool:
        """Whether the case has all of the values."""
        return all(case[name] == value for name, value in self.when.items())


@dataclass(frozen=True, slots=True)
class Matrix:
    """Dimensions with their values, and the refusals; of several that hold for a case, the first is told."""

    dimensions: Mapping[str, Sequence[str]]
    refusals: Sequence[Refusal] = ()

    def refusal_of(self, case: Case) -> Refusal | None:
        """Give what is told about a case; None where it can be done."""
        return next((refusal for refusal in self.refusals if refusal.is_of(case)), None)

    def cases(self, refusal: Refusal | None = None) -> tuple[Case, ...]:
        """List the cases that can be done, or those that are refused for one reason."""
        every = (dict(zip(self.dimensions, values, strict=True)) for values in product(*self.dimensions.values()))
        return tuple(case for case in every if self.refusal_of(case) is refusal)


def case_id(case: Case) -> str:
    """Name a case by its values."""
    return "-".join(case.values())


def pairwise(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Choose few of the cases, such that every two values that are together in any case are in a chosen one.

    Each time, the first of those that have the most pairs that are still missing is chosen: the choice depends on
    nothing but the cases.
    """
    numbers: dict[tuple[tuple[str, str], ...], int] = {}
    masks = [sum(1 << numbers.setdefault(pair, len(numbers)) for pair in pairs_of(case)) for case in cases]
    missing = (1 << len(numbers)) - 1
    chosen = []
    while missing:
        best = max(range(len(cases)), key=lambda index: (masks[index] & missing).bit_count())
        missing &= ~masks[best]
        chosen.append(cases[best])
    return tuple(chosen)


def pairs_of(case: Case) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield every two choices of a case; of a case with a single dimension, that choice."""
    yield from combinations(case.items(), min(2, len(case)))
