"""Keys and delegations that @dfinity/identity wrote are read here, and ours are read by it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.keys import DelegatedIdentity, Ed25519Identity, Secp256k1Identity, delegate_to
from icws_explore.protocol.keys.files import load_identity
from support.identity_cases import CANISTER, NOW_NS
from support.node_peer import run_script

pytestmark = pytest.mark.node

ROOT = Secp256k1Identity.from_secret(b"\x07" * 32)
SESSION = Ed25519Identity.from_secret(b"\x09" * 32)
EXPIRES_NS = NOW_NS + 3600 * NS_PER_S


@pytest.fixture(scope="module")
def ours() -> DelegatedIdentity:
    return delegate_to(ROOT, SESSION, expiration_ns=EXPIRES_NS, targets=[CANISTER])


@pytest.fixture(scope="module")
def theirs(ours: DelegatedIdentity) -> dict[str, Any]:
    config = {
        "root_seed": "07" * 32,
        "session_seed": "09" * 32,
        "target": str(CANISTER),
        "expires_ms": EXPIRES_NS // NS_PER_MS,
        "chain": ours.chain.to_json(),
    }
    run = run_script("key_files.mjs", config, timeout_s=60)
    assert run.exit_code == 0, run.stderr
    return run.one("files")


class TestTheirFiles:
    def test_key_pairs(self, theirs: dict[str, Any]) -> None:
        assert load_identity(json.dumps(theirs["root"])) == ROOT
        assert load_identity(json.dumps(theirs["session"])) == SESSION

    def test_a_browsers_storage(self, theirs: dict[str, Any], ours: DelegatedIdentity) -> None:
        stored = {"identity": json.dumps(theirs["session"]), "delegation": json.dumps(theirs["chain"])}
        loaded = load_identity(json.dumps(stored))
        assert loaded == ours
        assert str(loaded.principal) == theirs["principal"]


class TestOurChain:
    def test_is_theirs(self, theirs: dict[str, Any], ours: DelegatedIdentity) -> None:
        assert theirs["ours"] == theirs["chain"] == json.loads(ours.chain.to_json())
        assert theirs["principal_of_ours"] == str(ours.principal)
