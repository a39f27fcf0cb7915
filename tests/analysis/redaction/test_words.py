from __future__ import annotations

import pytest

from icws_explore.analysis.redaction.words import (
    public_key,
    public_method,
    public_note,
    public_principal,
    public_reason,
    public_saying,
    public_target,
    public_time,
    public_url,
)
from icws_explore.protocol.canister import error_texts
from icws_explore.protocol.messages import ClientKey, message_key
from support.certified_canister import CANISTER_ID, GATEWAY

KEY = ClientKey(CANISTER_ID, 77)


class TestReasons:
    @pytest.mark.parametrize("reason", ["Ack message timeout", "ClosedByApplication", "", None])
    def test_of_the_sdk_stay(self, reason: str | None) -> None:
        assert public_reason(reason) == reason

    def test_of_others_do_not(self) -> None:
        assert public_reason("Ack message timeout for user 7") == "‹text, 30 characters›"


class TestSayings:
    @pytest.mark.parametrize(
        "text",
        [
            error_texts.already_connected(KEY),
            error_texts.key_mismatch(KEY),
            error_texts.key_not_connected(KEY),
            error_texts.not_registered_to_gateway(KEY, GATEWAY),
            error_texts.principal_not_connected(CANISTER_ID),
            error_texts.gateway_not_registered(GATEWAY),
            error_texts.wrong_sequence_num(3, 5),
            error_texts.ANONYMOUS_NOT_ALLOWED,
            "Invalid request expiry: Specified ingress_expiry not within expected range: Minimum allowed expiry: "
            "2026-01-01 00:00:00.5 UTC, Maximum allowed expiry: 2026-01-01 00:05:30.5 UTC, "
            "Provided expiry:        2025-12-31 23:00:00 UTC",
        ],
    )
    def test_of_the_cdk_and_the_replica_stay(self, text: str) -> None:
        assert public_saying(text) == text

    @pytest.mark.parametrize(
        "text",
        [
            "Client with key Mrs. Smith already has an open connection",
            f"{error_texts.wrong_sequence_num(3, 5)} in the order of Mrs. Smith",
            error_texts.undecodable_service_message("hunter2"),
        ],
    )
    def test_of_others_do_not(self, text: str) -> None:
        assert public_saying(text) == f"‹text, {len(text)} characters›"


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "said"),
        [
            (None, None),
            ("wss://gateway.example", "wss://gateway.example"),
            ("ws://127.0.0.1:8080/", "ws://127.0.0.1:8080/"),
            ("ws://[::1]:8080", "ws://[::1]:8080"),
            ("wss://me:pw@gateway.example/lane?token=1", "wss://gateway.example/…?…"),
            (
                f"https://icp-api.io/api/v2/canister/{CANISTER_ID}/call",
                f"https://icp-api.io/api/v2/canister/{CANISTER_ID}/call",
            ),
            ("file:///home/alice/x", "‹text, 20 characters›"),
            ("wss://[bad", "‹text, 10 characters›"),
            ("wss://host:notaport/", "‹text, 20 characters›"),
            ("https://icp-api.io/api/v2/status?key=1", "https://icp-api.io/api/v2/status?…"),
        ],
    )
    def test_keep_where_and_nothing_else(self, url: str | None, said: str | None) -> None:
        assert public_url(url) == said

    def test_targets_keep_the_interfaces_own_paths(self) -> None:
        target = f"POST /api/v3/canister/{CANISTER_ID}/call"
        assert public_target(target) == target
        assert public_target("GET /admin/secret?x=1") == "GET /…?…"
        assert public_target("anything") == "‹text, 8 characters›"
        assert public_target(None) is None


class TestOthers:
    def test_methods_keys_and_principals_stay_if_they_are_some(self) -> None:
        assert public_method("ws_open") == "ws_open"
        assert public_method("give_me") == "‹text, 7 characters›"
        assert public_method(None) is None
        assert public_key(message_key(GATEWAY, 5)) == message_key(GATEWAY, 5)
        assert public_key("hunter2_1") == "‹text, 9 characters›"
        assert public_principal(str(GATEWAY)) == str(GATEWAY)
        assert public_principal("hunter2") == "‹text, 7 characters›"
        assert public_principal(None) is None

    def test_times_are_written_anew(self) -> None:
        assert public_time("2025-11-23T11:00:00.000Z") == "2025-11-23T11:00:00+00:00"
        assert public_time("yesterday") is None
        assert public_time(None) is None

    def test_notes_stay_if_they_quote_nothing(self) -> None:
        torn = "line 14 is incomplete (the recorder was stopped while writing it) and left out"
        assert public_note(torn) == torn
        assert public_note("line 14 left out: hunter2") == "‹text, 25 characters›"
