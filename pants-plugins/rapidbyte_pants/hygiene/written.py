"""The dependencies that BUILD files write out: what they mean, and whether there is such a target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.addresses import Address, Addresses, UnparsedAddressInputs
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, rule
from pants.engine.target import AllUnexpandedTargets, Dependencies
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel


@dataclass(frozen=True)
class WrittenDependency:
    """One entry of a `dependencies` field. `target` is None where there is none of that address."""

    text: str
    target: Address | None


@dataclass(frozen=True)
class AllWrittenDependencies:
    """The entries of every target that has some, without those that exclude a dependency."""

    by_target: FrozenDict[Address, tuple[WrittenDependency, ...]]

    def missing(self) -> tuple[tuple[Address, str], ...]:
        """Give each entry without a target, with the target that has the entry."""
        return tuple(
            (address, entry.text)
            for address, entries in self.by_target.items()
            for entry in entries
            if entry.target is None
        )


@rule(desc="Read the dependencies that BUILD files write out", level=LogLevel.DEBUG)
async def read_written_dependencies(targets: AllUnexpandedTargets) -> AllWrittenDependencies:
    entries = [
        (target.address, text)
        for target in targets
        for text in target.get(Dependencies).value or ()
        if not text.startswith("!")
    ]
    meant = await MultiGet(
        Get(
            Addresses,
            UnparsedAddressInputs(
                [text],
                owning_address=address,
                description_of_origin=f"the `dependencies` of {address}",
                skip_invalid_addresses=True,
            ),
        )
        for address, text in entries
    )
    known = {_without_parameters(target.address) for target in targets}
    found: dict[Address, list[WrittenDependency]] = {}
    for (address, text), candidates in zip(entries, meant):
        there = next((candidate for candidate in candidates if _without_parameters(candidate) in known), None)
        found.setdefault(address, []).append(WrittenDependency(text, there))
    return AllWrittenDependencies(FrozenDict({address: tuple(written) for address, written in found.items()}))


def _without_parameters(address: Address) -> str:
    return address.spec.partition("@")[0]


def rules() -> Iterable[Rule]:
    return collect_rules()
