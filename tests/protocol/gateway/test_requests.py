"""How gateway 1.4.6 parses a client's frames (client_session.rs); test_session.py has the consequences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from icws_explore.protocol.arguments import encode_open_args
from icws_explore.protocol.cbor import dumps
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.gateway.requests import OpenRequest, Request
from support.gateway_scene import ALICE, CANISTER, GATEWAY
from support.indefinite import reencoded

NOT_A_REQUEST = "ws message from client is not of type ClientRequest"


def changed(envelope: Envelope, **fields: Any) -> bytes:
    """The envelope's frame with changed fields in its content; None removes a field."""
    content = {name: value for name, value in {**envelope.content, **fields}.items() if value is not None}
    return replace(envelope, content=content).encode_frame()


class TestRequest:
    @pytest.mark.parametrize("envelope", [ALICE.ws_open, ALICE.ws_message], ids=["ws_open", "ws_message"])
    def test_a_call(self, envelope: Envelope) -> None:
        request = Request.read("binary", envelope.encode_frame())
        assert request.fault == ""
        assert request.is_call
        assert request.envelope is not None
        assert request.envelope.content == envelope.content

    def test_a_call_in_cbor_of_indefinite_length(self) -> None:
        # IC4J writes it; serde_cbor, which the real gateway uses, reads it.
        request = Request.read("binary", reencoded(ALICE.ws_open.encode_frame()))
        assert request == Request.read("binary", ALICE.ws_open.encode_frame())
        assert OpenRequest.read(request).fault == ""

    @pytest.mark.parametrize("kind", ["text", "ping", "pong"])
    def test_only_binary_frames(self, kind: Any) -> None:
        request = Request.read(kind, ALICE.ws_open.encode_frame())
        assert request == Request(fault="ws message from client is not binary encoded")
        assert not request.is_call

    @pytest.mark.parametrize(
        "fields",
        [
            {"sender": None}, {"sender": "text"}, {"ingress_expiry": None}, {"ingress_expiry": -1},
            {"canister_id": None}, {"method_name": None}, {"method_name": b"bytes"}, {"arg": None},
            {"request_type": None}, {"request_type": "other"}, {"request_type": "read_state"},
        ],
        ids=str,
    )  # fmt: skip
    def test_fields_that_serde_refuses(self, fields: dict[str, Any]) -> None:
        assert Request.read("binary", changed(ALICE.ws_open, **fields)) == Request(fault=NOT_A_REQUEST)

    @pytest.mark.parametrize("data", [b"", b"\xff", dumps({}), dumps({"envelope": {}}), dumps([1])], ids=bytes.hex)
    def test_anything_else(self, data: bytes) -> None:
        assert Request.read("binary", data) == Request(fault=NOT_A_REQUEST)

    def test_a_query_is_a_request_but_not_a_call(self) -> None:
        request = Request.read("binary", changed(ALICE.ws_open, request_type="query"))
        assert request.fault == ""
        assert not request.is_call


class TestOpenRequest:
    def test_has_the_client_and_the_canister(self) -> None:
        opened = OpenRequest.read(Request.read("binary", ALICE.ws_open.encode_frame()))
        assert opened == OpenRequest(ALICE.key, CANISTER)

    def test_the_name_of_the_method_is_not_checked(self) -> None:
        odd = ALICE.envelope("any_method", encode_open_args(ALICE.key.client_nonce, GATEWAY))
        assert OpenRequest.read(Request.read("binary", odd.encode_frame())).client_key == ALICE.key

    def test_the_argument_must_be_that_of_ws_open(self) -> None:
        fault = OpenRequest.read(Request.read("binary", ALICE.ws_message.encode_frame())).fault
        assert fault.startswith("arg field of envelope's content has the wrong type: ")

    def test_must_be_a_call(self) -> None:
        query = Request.read("binary", changed(ALICE.ws_open, request_type="query"))
        assert "should be of Call variant" in OpenRequest.read(query).fault

    def test_an_undecodable_frame_keeps_its_error(self) -> None:
        assert OpenRequest.read(Request.read("binary", b"")) == OpenRequest(fault=NOT_A_REQUEST)
