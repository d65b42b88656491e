"""The shards of a run are all of it, and no test is in two of them."""

from __future__ import annotations

from collections import Counter

from proofs.scratch import Checkout

_SHARDS = 4  # as many as .github/workflows/nightly.yml has


def test_every_test_is_in_exactly_one_shard(passed_checkout: Checkout) -> None:
    whole = passed_checkout.pants("test", "::")
    shards = [passed_checkout.pants("test", f"--shard={number}/{_SHARDS}", "::") for number in range(_SHARDS)]
    for run in (whole, *shards):
        assert run.code == 0, run.text
    assert len(whole.verdicts) > _SHARDS
    assert Counter(test for shard in shards for test in shard.verdicts) == Counter(whole.verdicts)
    assert all(shard.verdicts for shard in shards)
