"""The management canister."""

from __future__ import annotations

from icws_explore.lab.replica.management import Management
from icws_explore.protocol.candid import BLOB, decode
from icws_explore.protocol.canister import Reject, Reply


def drawn(management: Management) -> bytes:
    outcome = management.call("raw_rand")
    assert isinstance(outcome, Reply)
    return bytes(decode(outcome.data, [BLOB])[0])


def test_randomness_depends_on_the_seed_only() -> None:
    first, same, other = Management(b"a"), Management(b"a"), Management(b"b")
    draws = [[drawn(each) for _ in range(3)] for each in (first, same, other)]
    assert draws[0] == draws[1]
    assert len({*draws[0], *draws[2]}) == 6
    assert {len(each) for each in draws[0]} == {32}


def test_other_methods_are_rejected_by_name() -> None:
    outcome = Management(b"").call("create_canister")
    assert isinstance(outcome, Reject)
    assert "no method 'create_canister', only raw_rand" in outcome.text
