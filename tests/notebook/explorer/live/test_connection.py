from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from icws_explore.notebook.explorer.live.connection import (
    ack_advice,
    app_type_of,
    check,
    connect_to,
    identity_line,
    identity_of_field,
    names_of_identities,
)
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.keys import Ed25519Identity

CANISTER = "bkyz2-fmaaa-aaaaa-qaaaq-cai"
SECRET = bytes(range(32))


def fields(**more: Any) -> dict[str, Any]:
    return {"gateway": "ws://127.0.0.1:8080", "network": "http://127.0.0.1:4943", "canister": CANISTER} | more


def pem() -> str:
    key = Ed25519PrivateKey.from_private_bytes(SECRET)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


class TestCheck:
    def test_is_silent_about_what_is_right(self) -> None:
        assert check(fields(ack="300", did={"how": "metadata"}, identity={"how": "new"}), {}) == {}

    @pytest.mark.parametrize(
        ("name", "value", "advice"),
        [
            ("gateway", "http://127.0.0.1:8080", "write ws://127.0.0.1:8080"),
            ("gateway", "ws://gateway example", "contains a space"),
            ("network", "127.0.0.1:4943", "is not a network URL: write http://127.0.0.1:4943 or https://icp-api.io"),
            ("canister", "bkyz2-fmaaa", "this is no canister id"),
            ("canister", "aaaaa-aa", "aaaaa-aa is no canister of yours"),
            ("ack", "soon", "write the canister's ack interval in seconds, such as 300"),
            ("ack", "-1", "write the canister's ack interval in seconds, such as 300"),
            ("ack", "nan", "write the canister's ack interval in seconds, such as 300"),
            ("did", {"how": "text", "text": "record {"}, "line 1, column 8"),
            ("did", {"how": "text", "text": " "}, "choose the canister's .did file"),
            ("did", {"how": "path", "path": ""}, "write the path of the canister's .did file"),
            ("did", {"how": "path", "path": "/no/such.did"}, "cannot read /no/such.did"),
            ("identity", {"how": "pem", "path": "/no/such.pem"}, "cannot be read"),
            ("identity", {"how": "ii"}, "write the path of the identity's file, or choose the file"),
            ("identity", {"how": "variable", "name": "me"}, "write the name of a variable of this notebook"),
        ],
    )
    def test_says_in_one_line_what_to_change(self, name: str, value: Any, advice: str) -> None:
        found = check(fields(**{name: value}), {})
        assert list(found) == [name]
        assert advice in found[name]
        assert "\n" not in found[name]

    def test_asks_for_what_is_missing_only_when_all_is_asked(self) -> None:
        assert set(check({}, {})) == {"gateway", "network", "canister"}
        assert check({}, {}, only_filled=True) == {}

    def test_shows_no_password(self) -> None:
        found = check(fields(gateway="http://me:hunter2@host/?token=abcd", network="ftp://me:hunter2@host"), {})
        assert "hunter2" not in str(found)
        assert "abcd" not in str(found)

    def test_shows_no_key(self) -> None:
        broken = pem().replace("MC4", "MC5")
        found = check(fields(identity={"how": "pem", "text": broken}), {})
        assert found["identity"]
        assert pem().splitlines()[1][10:] not in found["identity"]


class TestAckAdvice:
    def test_names_what_the_cdk_refuses(self) -> None:
        assert ack_advice("60") == "the CDK refuses an interval of 60 s or less"
        assert ack_advice("300") == ack_advice("") == ack_advice("x") == ""


class TestIdentity:
    def test_comes_of_a_file_or_of_its_text(self, tmp_path: Path) -> None:
        path = tmp_path / "me.pem"
        path.write_text(pem(), encoding="utf-8")
        expected = Ed25519Identity.from_secret(SECRET).principal
        for source in ({"path": str(path)}, {"text": pem()}):
            identity = identity_of_field({"how": "pem"} | source, {})
            assert identity is not None
            assert identity.principal == expected
            assert identity_line(identity) == f"principal {expected}"

    def test_comes_of_internet_identitys_json(self) -> None:
        identity = Ed25519Identity.from_secret(SECRET)
        pair = json.dumps([identity.public_key_der.hex(), SECRET.hex()])
        found = identity_of_field({"how": "ii", "text": pair}, {})
        assert found is not None
        assert found.principal == identity.principal

    def test_comes_of_a_variable(self) -> None:
        me = Ed25519Identity.from_secret(SECRET)
        foreign = type("Identity", (), {"__module__": "ic.identity", "sign": lambda self, message: b""})()
        names = {"me": me, "theirs": foreign, "_mine": me, "text": "x", "other": SimpleNamespace(sign=1)}
        assert names_of_identities(names) == ["me", "theirs"]
        assert identity_of_field({"how": "variable", "name": "me"}, names) is me
        with pytest.raises(IcwsError, match="str|path|read"):
            identity_of_field({"how": "variable", "name": "text"}, names)

    def test_that_is_new_is_drawn_by_connect(self) -> None:
        assert identity_of_field({"how": "new"}, {}) is None
        assert identity_of_field(None, {}) is None
        assert identity_line(None) == ""


class TestAppType:
    def test_is_read_from_a_file_or_a_text(self, tmp_path: Path) -> None:
        path = tmp_path / "app.did"
        path.write_text("type Msg = record { text : text };", encoding="utf-8")
        expected = parse_type("record { text : text }")
        assert app_type_of({"how": "path", "path": str(path)}) == expected
        assert app_type_of({"how": "text", "text": "record { text : text }"}) == expected
        assert app_type_of({"how": "metadata"}) is None


class TestConnect:
    def test_takes_what_the_form_says(self) -> None:
        made = connect_to(fields(ack="90", did={"how": "text", "text": "nat"}), {})
        assert made._target.ack_interval_ms == 90_000
        assert str(made._target.canister_id) == CANISTER
        assert made._target.app_type == parse_type("nat")
        assert made._target.wait_open is False
        assert made._target.root_key is None or made._target.root_key == MAINNET_ROOT_KEY
