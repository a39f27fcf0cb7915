"""The real Motoko CDK, step by step: replies, messages, times, closes and removals as in its golden traces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from icws_explore.protocol import hashtree
from icws_explore.protocol.arguments import PollResult, decode_poll_result, decode_result
from icws_explore.protocol.canister import (
    CANISTER_ERROR,
    CanisterHost,
    CdkConfig,
    Flavour,
    Outcome,
    Reject,
    Reply,
)
from icws_explore.protocol.canister import (
    cdk as sessions,
)
from icws_explore.protocol.cbor import SELF_DESCRIBE
from icws_explore.protocol.messages import ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import ServiceMessage, decode_service, encode_service
from support.cdk_test_canister import CdkTestCanister
from support.machine import ROOT

CANISTER = Principal.from_text("rrkah-fqaaa-aaaaa-aaaaq-cai")
FILE = json.loads((ROOT / "tests" / "vectors" / "motoko_cdk_traces.json").read_text(encoding="utf-8"))
# pub-wipe shows a quirk of that test canister: it creates a second CDK state while the timers of the first
# keep running. Two CDKs in one canister are not the CDK's behaviour.
TRACES = [trace for trace in FILE["traces"] if trace["id"] != "pub-wipe"]
NOT_CANDID = "pub-service-malformed"


class Replay:
    """The Python canister, which gets the calls and times of a trace; ``prints`` holds those of the current step."""

    def __init__(self, trace: dict[str, Any], flavour: Flavour) -> None:
        self.trace = trace
        self.now_ns = int(trace["start_time_ns"])
        self.prints: list[dict[str, str]] = []
        self.host = CanisterHost(
            CANISTER,
            certify=lambda _: b"certificate",
            on_print=lambda at_ns, text: self.prints.append({"at_ns": str(at_ns), "text": text}),
        )
        init = trace["init"]
        config = CdkConfig(
            max_messages=int(init["max_number_of_returned_messages"]),
            send_ack_interval_ms=int(init["send_ack_interval_ms"]),
            flavour=flavour,
        )
        self.installed = self.host.install(lambda system: CdkTestCanister(system, config), now_ns=self.now_ns)

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Outcome | None]]:
        for step in self.trace["steps"]:
            self.prints.clear()
            yield step, self._take(step)

    def _take(self, step: dict[str, Any]) -> Outcome | None:
        if "advance_to_ns" in step:
            assert int(step["at_ns"]) == self.now_ns
            self.now_ns = int(step["advance_to_ns"])
            self.host.advance(self.now_ns)
            return None
        assert int(step["at_ns"]) == self.now_ns
        call = self.host.query if step["kind"] == "query" else self.host.update
        arg, caller = bytes.fromhex(step["arg_hex"]), Principal.from_text(step["caller"])
        return call(step["call"], arg, caller=caller, now_ns=self.now_ns)


def key_of(fields: dict[str, str]) -> ClientKey:
    return ClientKey(Principal.from_text(fields["client_principal"]), int(fields["client_nonce"]))


def poll_of(outcome: Outcome | None) -> PollResult:
    assert isinstance(outcome, Reply), outcome
    result = decode_poll_result(outcome.data)
    assert isinstance(result, PollResult), result
    return result


def compare_message(content: bytes, wanted: dict[str, Any]) -> None:
    """Compare header fields exactly, a service message by its value and an application message by its bytes."""
    message, reference = WebsocketMessage.decode(content), WebsocketMessage.decode(bytes.fromhex(wanted["content_hex"]))
    decoded = wanted["decoded"]
    assert message.client_key == key_of(wanted["client_key"])
    assert message.sequence_num == int(decoded["sequence_num"])
    assert message.timestamp_ns == int(decoded["timestamp"])
    assert message.is_service_message is decoded["is_service_message"]
    if message.is_service_message:
        assert decode_service(message.content) == decode_service(reference.content)
    else:
        assert message == reference


def compare_poll(result: PollResult, wanted: dict[str, Any], certified_data: bytes) -> None:
    assert result.is_end_of_queue is wanted["is_end_of_queue"]
    assert bool(result.cert) is wanted["cert_present"]
    assert [message.key for message in result.messages] == [message["key"] for message in wanted["messages"]]
    for message, wanted_message in zip(result.messages, wanted["messages"], strict=True):
        assert message.client_key == key_of(wanted_message["client_key"])
        compare_message(message.content, wanted_message)
    assert bool(result.tree) is bool(wanted["tree_hex"])
    if result.tree:
        assert wanted["root_is_certified_data"]
        assert hashtree.root_hash(hashtree.decode(result.tree)) == certified_data


def compare_update(outcome: Outcome | None, wanted: dict[str, Any]) -> None:
    if "reject_code" in wanted:
        assert isinstance(outcome, Reject)
        assert outcome.code == wanted["reject_code"]
        assert outcome.cause is None
        # The rest of the text comes from the Candid decoder and differs.
        assert "Canister called `ic0.trap` with message: 'IDL error: " in outcome.text
    else:
        assert isinstance(outcome, Reply), outcome
        assert decode_result(outcome.data) == wanted.get("Err")


@pytest.mark.parametrize("trace", TRACES, ids=[trace["id"] for trace in TRACES])
class TestMotoko:
    def test_replies_messages_and_times(self, trace: dict[str, Any]) -> None:
        replay = Replay(trace, "motoko")
        if "init_reply" in trace:
            assert isinstance(replay.installed, Reject)
            assert replay.installed.code == CANISTER_ERROR == trace["init_reply"]["reject_code"]
            assert trace["init_reply"]["message"].rpartition(": ")[2] in replay.installed.text
            return
        for step, outcome in replay:
            assert replay.prints == step.get("debug_prints", [])
            assert bool(replay.host.certified_data) is bool(step["certified_data_hex"])
            if step.get("kind") == "query":
                compare_poll(poll_of(outcome), step["reply"], replay.host.certified_data)
            elif step.get("kind") == "update":
                compare_update(outcome, step["reply"])

    def test_every_byte(self, trace: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        """With Motoko's type table for service messages, contents, trees and certified data are equal byte for byte."""
        monkeypatch.setattr(sessions, "encode_service", lambda message, inner_first: encode_as_motoko(message))
        replay = Replay(trace, "motoko")
        for step, outcome in replay:
            assert replay.host.certified_data.hex() == step["certified_data_hex"]
            if step.get("kind") == "query":
                result = poll_of(outcome)
                wanted = [message["content_hex"] for message in step["reply"]["messages"]]
                assert [message.content.hex() for message in result.messages] == wanted
                assert result.tree.hex() == step["reply"]["tree_hex"]


@pytest.mark.parametrize("trace", TRACES, ids=[trace["id"] for trace in TRACES])
class TestRust:
    """The Rust flavour differs only by the file's differences_from_the_rust_source."""

    def test_replies_messages_and_times(self, trace: dict[str, Any]) -> None:
        replay = Replay(trace, "rust")
        assert isinstance(replay.installed, Reject) is ("init_reply" in trace)
        for step, outcome in replay:
            if step.get("kind") == "query":
                self._compare_poll(poll_of(outcome), step["reply"], replay.host.certified_data, trace)
            elif step.get("kind") == "update":
                self._compare_update(outcome, step["reply"], trace)

    def _compare_poll(
        self, result: PollResult, wanted: dict[str, Any], certified_data: bytes, trace: dict[str, Any]
    ) -> None:
        assert all(message.content.startswith(SELF_DESCRIBE) for message in result.messages)
        if not trace["hash_order_dependent"]:
            compare_poll(result, wanted, certified_data)
            return
        # The order of clients within a tick differs, so nonces belong to other clients.
        assert len(result.messages) == len(wanted["messages"])
        assert result.is_end_of_queue is wanted["is_end_of_queue"]
        if result.tree:
            assert hashtree.root_hash(hashtree.decode(result.tree)) == certified_data
        whole_ticks = ticks(wanted["messages"])[1:-1]  # the poll may cut the first and the last
        ours = [summary(message.client_key, message.content) for message in result.messages]
        for start, end in whole_ticks:
            theirs = [
                summary(key_of(message["client_key"]), bytes.fromhex(message["content_hex"]))
                for message in wanted["messages"][start:end]
            ]
            assert sorted(ours[start:end], key=str) == sorted(theirs, key=str)

    def _compare_update(self, outcome: Outcome | None, wanted: dict[str, Any], trace: dict[str, Any]) -> None:
        assert isinstance(outcome, Reply), outcome
        error = decode_result(outcome.data)
        if trace["id"] == NOT_CANDID and (error or "").startswith("Error decoding service message content: "):
            assert "reject_code" in wanted or wanted["Err"].startswith("Error decoding service message content: ")
        else:
            assert error == wanted.get("Err")


def ticks(messages: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """The ranges of messages with equal timestamps."""
    ranges: list[tuple[int, int]] = []
    start = 0
    for index in range(1, len(messages) + 1):
        if index == len(messages) or messages[index]["decoded"]["timestamp"] != messages[start]["decoded"]["timestamp"]:
            ranges.append((start, index))
            start = index
    return ranges


def summary(key: ClientKey, content: bytes) -> tuple[ClientKey, WebsocketMessage | ServiceMessage, int, int]:
    message = WebsocketMessage.decode(content)
    meaning = decode_service(message.content) if message.is_service_message else message
    return key, meaning, message.sequence_num, message.timestamp_ns


def encode_as_motoko(message: ServiceMessage) -> bytes:
    """The value with the type table that Motoko writes; an encoder can choose the table but not the value's bytes."""
    return motoko_table() + encode_service(message)[len(our_table()) :]


def motoko_table() -> bytes:
    return table_of(FIRST_SERVICE_MESSAGE)


def our_table() -> bytes:
    return table_of(encode_service(decode_service(FIRST_SERVICE_MESSAGE)))


def table_of(open_message: bytes) -> bytes:
    """The bytes before an OpenMessage's value; the value is variant index, nonce, principal (flag, length, bytes)."""
    key = decode_service(open_message).client_key
    value = 1 + 8 + 2 + len(key.client_principal.raw)
    return open_message[:-value]


FIRST_SERVICE_MESSAGE = next(
    bytes.fromhex(message["decoded"]["content_hex"])
    for step in FILE["traces"][0]["steps"]
    if step.get("kind") == "query"
    for message in step["reply"]["messages"]
)
