from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from icws_explore.protocol import hashtree, leb128
from icws_explore.protocol.certificate import Certificate
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.hashtree import Empty, Fork, HashTree, Labeled, Leaf, Pruned, build
from icws_explore.protocol.messages import CanisterMessage, ClientKey
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step, first_failure, passed
from icws_explore.protocol.verify import MESSAGE_STEPS, PROOF_STEPS, authentic, check_message
from support.certificates import (
    CANISTER,
    CLIENT,
    GATEWAY,
    LAYOUTS,
    NOW_NS,
    content_of,
    issuer,
    messages,
    state,
)

# Where each invalid message of certified_messages.json fails.
FAILS_AT = {
    "range-swapped-body": "body",
    "range-pruned-key": "lookup",
    "range-unknown-key": "lookup",
    "tampered-content": "body",
    "tampered-signature": "signature",
    "wrong-root-key": "signature",
    "wrong-canister": "certified_data",
    "certified-data-mismatch": "certified_data",
    "expired": "time",
    "future": "time",
    "delegated-out-of-range": "delegation",
    "delegation-wrong-signer": "delegation",
    "delegation-nested": "delegation",
    "no-time": "time",
    "garbage-cert": "parse",
    "raw-root-key": "signature",
    "leaf-is-content": "body",
    "truncated-tree": "parse",
    "wrong-top-label": "lookup",
    "sdk-INVALID_MESSAGE_KEY": "lookup",
    "sdk-utils-expired": "time",
    "sdk-utils-other-root-key": "signature",
}


def check_vector(entry) -> list[Step]:
    message = CanisterMessage(entry["key"], *(bytes.fromhex(entry[name]) for name in ("content", "cert", "tree")))
    return check_message(
        message,
        canister_id=Principal.from_text(entry["canisterId"]),
        root_key=bytes.fromhex(entry["rootKey"]),
        now_ns=int(entry["nowMs"]) * NS_PER_MS,
        max_age_s=entry["maxAgeMin"] * 60,
    )


def check(message: CanisterMessage, **changes) -> dict[str, Step]:
    facts = {"canister_id": CANISTER, "root_key": issuer().root_key_der, "now_ns": NOW_NS} | changes
    steps = check_message(message, **facts)
    assert tuple(step.step for step in steps) == MESSAGE_STEPS
    return {step.step: step for step in steps}


def failure(steps: dict[str, Step]) -> Step:
    failed = first_failure(steps.values())
    assert failed is not None
    return failed


def certified(tree: HashTree, key: str = "key", content: bytes = b"content") -> CanisterMessage:
    """A message with the given witness, certified as the canister's."""
    return CanisterMessage(key, content, issuer().certify(state(tree.digest)), hashtree.encode(tree))


class TestVectors:
    """Every verdict comes from the real isMessageBodyValid of ic-websocket-js 0.5.0."""

    def test_certified_messages(self, vectors) -> None:
        entries = vectors("certified_messages")["entries"]
        assert len(entries) == 36
        assert {entry["id"] for entry in entries if entry["expected"] == "invalid"} == set(FAILS_AT)
        for entry in entries:
            steps = check_vector(entry)
            failed = first_failure(steps)
            assert authentic(steps) is (entry["expected"] == "valid"), entry["id"]
            assert (failed.step if failed else None) == FAILS_AT.get(entry["id"]), entry["id"]

    def test_messages_of_one_large_poll(self, vectors) -> None:
        for entry in vectors("perf_certified_100")["entries"][::25]:
            assert authentic(check_vector(entry))
            assert first_failure(check_vector({**entry, "content": entry["content"] + "00"})).step == "body"

    def test_messages_of_a_real_replica(self, vectors) -> None:
        vector = vectors("icws_local_replica")
        verdicts = {}
        for entry in vector["messages"]:
            message = CanisterMessage(
                entry["key"], *(bytes.fromhex(entry[f"{name}_hex"]) for name in ("content", "cert", "tree"))
            )
            steps = check_message(
                message,
                canister_id=Principal.from_text(vector["canister_id"]),
                root_key=bytes.fromhex(vector["root_key_der_hex"]),
                now_ns=int(entry["time_ns"]),
                expected_sequence_num=message.message.sequence_num,
                client_key=message.message.client_key,
            )
            verdicts[entry["name"]] = (first_failure(steps) or steps[-1]).step if not passed(steps) else "valid"
        assert len(verdicts) == 5
        assert verdicts.pop("INVALID_MESSAGE_KEY") == "lookup"
        assert set(verdicts.values()) == {"valid"}


class TestRoundTrip:
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_issued_messages_are_authentic(self, layout) -> None:
        for number, message in enumerate(messages(layout), 1):
            steps = check(message, client_key=CLIENT, expected_sequence_num=number)
            assert passed(steps.values())
            assert authentic(steps.values())

    @pytest.mark.parametrize("layout", LAYOUTS)
    @given(data=st.data())
    @settings(max_examples=60)
    def test_a_change_of_any_byte_is_found(self, layout, data) -> None:
        message = messages(layout)[1]
        name = data.draw(st.sampled_from(["content", "cert", "tree"]))
        original = getattr(message, name)
        at = data.draw(st.integers(0, len(original) - 1))
        flipped = original[at] ^ data.draw(st.integers(1, 255))
        altered = replace(message, **{name: original[:at] + bytes([flipped]) + original[at + 1 :]})
        steps = check(altered, client_key=CLIENT, expected_sequence_num=2)
        # Only the choice between several encodings of the same proof is not protected.
        if _same_proof(message, altered):
            assert passed(steps.values())
        else:
            assert failure(steps)

    @given(key=st.text(max_size=100))
    @example(key="")
    def test_another_key_fails(self, key) -> None:
        message = messages()[0]
        if key != message.key:
            assert failure(check(replace(message, key=key))).step in {"lookup", "body"}

    @given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
    def test_garbage_fails_to_parse(self, content, cert, tree) -> None:
        assert failure(check(CanisterMessage("key", content, cert, tree))).step == "parse"


def _same_proof(a: CanisterMessage, b: CanisterMessage) -> bool:
    """Whether two messages differ only in the CBOR encoding of certificate and witness."""
    try:
        read = [(m.content, Certificate.decode(m.cert), hashtree.decode(m.tree)) for m in (a, b)]
    except DecodeError:
        return False
    return read[0] == read[1]


class TestOrder:
    """After the first step that fails, the others are not checked, and say so."""

    def test_names(self) -> None:
        assert MESSAGE_STEPS[:4] == ("parse", "delegation", "signature", "time")
        assert MESSAGE_STEPS[4:] == ("certified_data", "lookup", "body", "sequence", "client_key")
        assert MESSAGE_STEPS[:7] == PROOF_STEPS

    def test_steps_after_a_failure(self) -> None:
        steps = check(messages()[0], now_ns=NOW_NS + 301 * NS_PER_S, expected_sequence_num=1, client_key=CLIENT)
        assert [step.ok for step in steps.values()] == [True, True, True, False, None, None, None, None, None]
        assert {step.detail for step in list(steps.values())[4:]} == {"not checked, because time failed"}

    def test_facts_that_are_not_given(self) -> None:
        steps = check(messages()[0])
        assert steps["sequence"].ok is None
        assert steps["sequence"].detail == "message 1; not checked: no expected number was given"
        assert steps["client_key"].ok is None
        assert steps["client_key"].actual == str(CLIENT)
        assert authentic(steps.values())
        assert not passed(steps.values())

    def test_no_message_is_authentic_without_a_canister(self) -> None:
        steps = check(messages()[0], canister_id=None)
        assert steps["certified_data"].ok is None
        assert steps["body"].ok
        assert not authentic(steps.values())

    def test_a_failed_sequence_is_not_authentic(self) -> None:
        assert not authentic(check(messages()[0], expected_sequence_num=2).values())


class TestParse:
    def test_names_the_part(self) -> None:
        message = messages()[0]
        assert failure(check(replace(message, cert=b""))).detail.startswith("the certificate cannot be read: ")
        assert failure(check(replace(message, tree=b""))).detail.startswith("the witness cannot be read: ")

    def test_a_certificate_that_is_not_well_formed(self) -> None:
        time = Labeled(b"time", Leaf(leb128.encode_unsigned(NOW_NS)))
        cert = issuer().certify(Fork(time, Labeled(b"canister", Empty())))
        step = failure(check(replace(messages()[0], cert=cert)))
        assert step.step == "parse"
        assert "the labels of the certificate's tree are not in ascending order" in step.detail

    def test_sizes(self) -> None:
        message = messages("classic")[0]
        step = check(message)["parse"]
        assert f"a certificate with a delegation ({len(message.cert)} bytes)" in step.detail
        assert f"a witness ({len(message.tree)} bytes)" in step.detail

    def test_keeps_its_text_when_a_later_step_fails(self) -> None:
        steps = check(messages()[0], root_key=b"")
        assert "were read" in steps["parse"].detail


class TestCertifiedData:
    def test_both_sides(self) -> None:
        message = messages()[0]
        step = check(message)["certified_data"]
        assert step.expected == step.actual == hashtree.decode(message.tree).digest

    def test_of_another_witness(self) -> None:
        message = messages()[0]
        other = Labeled(b"websocket", Empty())
        step = failure(check(replace(message, tree=hashtree.encode(other))))
        assert step.step == "certified_data"
        assert step.expected == hashtree.decode(message.tree).digest
        assert step.actual == other.digest

    def test_of_another_canister(self) -> None:
        other = Principal(b"\x01\x01")
        step = failure(check(messages()[0], canister_id=other))
        assert step.detail == (
            f"the certificate shows no certified data of canister {other}; it shows that of {CANISTER}"
        )
        assert step.expected == f"canister/{other}/certified_data"

    def test_was_never_set(self) -> None:
        cert = issuer().certify(state(b""))
        step = failure(check(replace(messages()[0], cert=cert)))
        assert f"canister {CANISTER} set nothing as its certified data" in step.detail

    @pytest.mark.parametrize(
        "canisters", [Leaf(b""), Labeled(bytes(40), Labeled(b"certified_data", Leaf(b""))), Labeled(b"\x01", Empty())]
    )
    def test_a_certificate_of_no_canister(self, canisters) -> None:
        tree = Fork(Labeled(b"canister", canisters), Labeled(b"time", Leaf(leb128.encode_unsigned(NOW_NS))))
        step = failure(check(replace(messages()[0], cert=issuer().certify(tree))))
        assert step.detail.endswith("it shows none of any canister")


class TestLookup:
    DIGEST = sha256(b"content").digest()

    def test_found(self) -> None:
        tree = build({b"websocket": {b"key": self.DIGEST}})
        step = check(certified(tree))["lookup"]
        assert step.ok
        assert step.expected == step.actual == "websocket/key"

    def test_the_fallback_of_the_sdk(self) -> None:
        tree = build({b"websocket": self.DIGEST})
        steps = check(certified(tree))
        assert steps["lookup"].ok
        assert steps["lookup"].actual == "websocket"
        assert "the SDK accepts this too" in steps["lookup"].detail
        assert steps["body"].ok

    @pytest.mark.parametrize(
        ("tree", "answer"),
        [
            (build({b"websocket": {b"kex": b"", b"kez": b""}}), "absent"),
            (build({b"websocket": {}}), "absent"),
            (build({b"http_assets": {b"key": DIGEST}}), "absent"),
            (Labeled(b"websocket", Pruned(bytes(32))), "unknown"),
            (build({b"websocket": {b"key": {b"x": b""}}}), "a subtree"),
        ],
        ids=["beside neighbours", "nothing at all", "another label", "pruned", "labels below"],
    )
    def test_not_found(self, tree, answer) -> None:
        step = failure(check(certified(tree)))
        assert (step.step, step.expected, step.actual) == ("lookup", "websocket/key", answer)

    def test_a_witness_that_is_not_well_formed(self) -> None:
        """A label would be found and provably absent. The specification requires well-formed trees."""
        key, other = Labeled(b"key", Leaf(self.DIGEST)), Labeled(b"a", Leaf(b""))
        step = failure(check(certified(Labeled(b"websocket", Fork(key, other)))))
        assert (step.step, step.actual) == ("lookup", "not well-formed")


class TestBody:
    def test_both_sides(self) -> None:
        message = messages()[0]
        digest = sha256(message.content).digest()
        assert check(message)["body"].expected == check(message)["body"].actual == digest
        step = failure(check(replace(message, content=message.content + b"\x00")))
        assert step.step == "body"
        assert step.expected == digest
        assert step.actual == sha256(message.content + b"\x00").digest()

    def test_a_leaf_that_is_not_a_hash(self) -> None:
        step = failure(check(certified(build({b"websocket": {b"key": b"content"}}))))
        assert step.step == "body"
        assert "the leaf holds 7 bytes, which is not a SHA-256" in step.detail


class TestSequence:
    @pytest.mark.parametrize(
        ("expected", "detail"),
        [
            (1, "message 3 came instead of 1: 2 messages missing"),
            (4, "message 3 came instead of 4: it was repeated, or later ones overtook it"),
        ],
    )
    def test_another_than_the_next(self, expected, detail) -> None:
        step = failure(check(messages()[2], expected_sequence_num=expected))
        assert (step.step, step.detail) == ("sequence", detail)
        assert (step.expected, step.actual) == (str(expected), "3")

    def test_the_next(self) -> None:
        step = check(messages()[2], expected_sequence_num=3)["sequence"]
        assert (step.ok, step.detail) == (True, "message 3 is the next one")

    def test_content_that_is_not_a_message(self) -> None:
        message = certified(build({b"websocket": {b"key": sha256(b"content").digest()}}))
        steps = check(message)
        assert authentic(steps.values())
        assert steps["sequence"].ok is steps["client_key"].ok is None
        step = failure(check(message, expected_sequence_num=1))
        assert step.step == "sequence"
        assert step.detail.startswith("the content has no sequence number: WebsocketMessage")
        assert failure(check(message, client_key=CLIENT)).step == "client_key"


class TestClientKey:
    def test_of_this_client(self) -> None:
        step = check(messages()[0], client_key=CLIENT)["client_key"]
        assert step.ok
        assert step.expected == step.actual == str(CLIENT)

    def test_of_another_client(self) -> None:
        other = ClientKey(CLIENT.client_principal, 43)
        step = failure(check(messages()[0], client_key=other, expected_sequence_num=1))
        assert step.step == "client_key"
        assert (step.expected, step.actual) == (str(other), str(CLIENT))

    def test_is_checked_without_a_sequence_number(self) -> None:
        other = ClientKey(Principal.ANONYMOUS, 42)
        assert failure(check(messages()[0], client_key=other)).step == "client_key"


class TestHostileMessages:
    @pytest.mark.parametrize(
        "tree", [b"\x83\x01\x81\x00" * 100_000, b"\x9b" + b"\xff" * 8, b"\x82\x03\x5b" + b"\x7f" * 8]
    )
    def test_trees(self, tree) -> None:
        assert failure(check(replace(messages()[0], tree=tree))).step == "parse"
        cert = b"\xa2\x64tree" + tree
        assert failure(check(replace(messages()[0], cert=cert))).step == "parse"

    @pytest.mark.parametrize("name", ["content", "cert", "tree"])
    @given(data=st.data())
    @settings(max_examples=40)
    def test_a_valid_prefix_with_a_random_tail(self, name, data) -> None:
        message = messages("sharded")[0]
        whole = getattr(message, name)
        cut = data.draw(st.integers(0, len(whole) - 1))
        tail = data.draw(st.binary(max_size=40).filter(lambda tail: tail != whole[cut:]))
        assert failure(check(replace(message, **{name: whole[:cut] + tail})))

    def test_large_parts_are_checked_without_being_cached(self) -> None:
        content = content_of(1)
        key = f"{GATEWAY}_{0:020}"
        tree = build({b"websocket": {key.encode(): sha256(content).digest(), b"zzz": bytes(100_000)}})
        steps = check(certified(tree, key, content), expected_sequence_num=1)
        assert authentic(steps.values())
