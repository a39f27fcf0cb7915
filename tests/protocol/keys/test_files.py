from __future__ import annotations

import contextlib
import json
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace

import ic.agent
import ic.client
import ic.identity
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.envelope import call_content, check_envelope, sign_envelope
from icws_explore.protocol.errors import ArgumentTypeError, IdentityError
from icws_explore.protocol.keys import (
    AnonymousIdentity,
    DelegatedIdentity,
    Ed25519Identity,
    Identity,
    Secp256k1Identity,
    delegate_to,
    files,
)
from icws_explore.protocol.keys.delegation import DelegationChain
from icws_explore.protocol.keys.files import MAX_FILE_SIZE, identity_of, load_identity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import passed
from support.identity_cases import CANISTER, DAY_NS, ED25519_SECRET, NOW_NS, SECP256K1_SECRET, der, pem

ED25519 = Ed25519Identity.from_secret(ED25519_SECRET)
SECP256K1 = Secp256k1Identity.from_secret(SECP256K1_SECRET)
ED25519_PEM = (
    Ed25519PrivateKey.from_private_bytes(ED25519_SECRET)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
SECP256K1_PEM = (
    ec.derive_private_key(int.from_bytes(SECP256K1_SECRET, "big"), ec.SECP256K1())
    .private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    .decode()
)
KEY_PAIR = [ED25519.public_key_der.hex(), ED25519_SECRET.hex()]
DELEGATED = delegate_to(SECP256K1, ED25519, expiration_ns=NOW_NS + DAY_NS)
CHAIN = DELEGATED.chain.to_json()


def signs_like(identity: Identity, other: Identity) -> bool:
    return identity.principal == other.principal and identity.sign(b"message") == other.sign(b"message")


class TestPem:
    @pytest.mark.parametrize(("text", "expected"), [(ED25519_PEM, ED25519), (SECP256K1_PEM, SECP256K1)])
    def test_text_bytes_and_file(self, text: str, expected: Identity, tmp_path: Path) -> None:
        path = tmp_path / "identity.pem"
        path.write_text(text)
        for source in (text, text.encode(), path, str(path)):
            assert signs_like(load_identity(source), expected)

    def test_of_one_kind_by_its_class(self) -> None:
        assert signs_like(Ed25519Identity.from_pem(ED25519_PEM), ED25519)
        assert signs_like(Secp256k1Identity.from_pem(SECP256K1_PEM.encode()), SECP256K1)
        with pytest.raises(IdentityError, match="a secp256k1 key, not Ed25519; load_identity reads either"):
            Ed25519Identity.from_pem(SECP256K1_PEM)

    def test_a_public_key_that_does_not_match_is_found(self) -> None:
        inner = der(0x04, der(0x04, ED25519_SECRET))
        oid = der(0x30, bytes.fromhex("06032b6570"))
        wrong = der(0x30, b"\x02\x01\x01", oid, inner, der(0x81, b"\x00" + bytes(32)))
        with pytest.raises(IdentityError, match="does not match its secret key"):
            load_identity(pem("PRIVATE KEY", wrong))

    def test_the_home_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "identity.pem").write_text(ED25519_PEM)
        assert signs_like(load_identity("~/identity.pem"), ED25519)


class TestKeyPairs:
    @pytest.mark.parametrize(
        ("public", "secret", "expected"),
        [
            (ED25519.public_key_der, ED25519_SECRET, ED25519),
            (ED25519.public_key_der[12:], ED25519_SECRET, ED25519),
            (ED25519.public_key_der[12:], ED25519_SECRET + ED25519.public_key_der[12:], ED25519),
            (SECP256K1.public_key_der, SECP256K1_SECRET, SECP256K1),
            (SECP256K1.public_key_der[23:], SECP256K1_SECRET, SECP256K1),
        ],
    )
    def test_of_both_kinds(self, public: bytes, secret: bytes, expected: Identity) -> None:
        assert signs_like(load_identity(json.dumps([public.hex(), secret.hex()])), expected)

    @pytest.mark.parametrize(
        "value",
        [
            [],
            KEY_PAIR[:1],
            [*KEY_PAIR, ""],
            [KEY_PAIR[0], "zz" * 32],
            [KEY_PAIR[0], 7],
            [KEY_PAIR[0], KEY_PAIR[1][2:]],
            ["", KEY_PAIR[1]],
            [SECP256K1.public_key_der.hex(), KEY_PAIR[1]],
            ["", "00" * 32],
        ],
    )
    def test_that_are_malformed(self, value: object) -> None:
        with pytest.raises(IdentityError):
            load_identity(json.dumps(value))


class TestInternetIdentity:
    def test_chain_and_session_key_in_one_file(self) -> None:
        text = json.dumps({"identity": KEY_PAIR, "delegation": json.loads(CHAIN)})
        assert signs_like(load_identity(text), DELEGATED)

    def test_as_in_the_storage_of_a_browser(self) -> None:
        text = json.dumps({"identity": json.dumps(KEY_PAIR), "delegation": CHAIN})
        assert signs_like(load_identity(text), DELEGATED)

    def test_in_two_files(self, tmp_path: Path) -> None:
        (tmp_path / "chain.json").write_text(CHAIN)
        (tmp_path / "session.pem").write_text(ED25519_PEM)
        loaded = load_identity(tmp_path / "chain.json", session=tmp_path / "session.pem")
        assert isinstance(loaded, DelegatedIdentity)
        assert loaded == DELEGATED
        assert signs_like(load_identity(CHAIN, session=ED25519), DELEGATED)

    def test_makes_valid_calls(self) -> None:
        identity = load_identity(CHAIN, session=ED25519_PEM)
        content = call_content(CANISTER, "ws_open", b"", identity.principal, NOW_NS + 1, b"\x00" * 16)
        assert passed(check_envelope(sign_envelope(content, identity), now_ns=NOW_NS, canister_id=CANISTER))

    def test_without_session_key(self) -> None:
        with pytest.raises(IdentityError, match="has no session key with it: pass"):
            load_identity(CHAIN)

    def test_with_another_session_key(self) -> None:
        with pytest.raises(IdentityError, match="session key of the same log-in"):
            load_identity(CHAIN, session=SECP256K1)

    def test_a_session_key_without_a_chain(self) -> None:
        for text in (ED25519_PEM, json.dumps(KEY_PAIR)):
            with pytest.raises(IdentityError, match="session= is only for a delegation chain"):
                load_identity(text, session=SECP256K1)

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("{}", "contains no identity"),
            ("{", "not JSON: line 1, column 2"),
            ("[" * 100_000, "nested too deep"),
            ("[" + "1" * 5000 + "]", "not JSON"),
            (json.dumps({"identity": KEY_PAIR, "delegation": {}}), "'delegations' is missing"),
            (json.dumps({"identity": {}, "delegation": CHAIN}), "a key pair in JSON is"),
            (json.dumps({"identity": KEY_PAIR, "delegation": "{"}), "not JSON"),
            (json.dumps({"identity": KEY_PAIR, "delegation": {"delegations": [], "publicKey": ""}}), "at least one"),
        ],
    )
    def test_the_error_says_why(self, text: str, fault: str) -> None:
        with pytest.raises(IdentityError) as caught:
            load_identity(text)
        assert fault in str(caught.value)


PASTED = [ED25519_SECRET.hex(), b64encode(ED25519_SECRET).decode(), "abandon " * 11 + "about"]


class TestFiles:
    @pytest.mark.parametrize("pasted", PASTED)
    def test_a_pasted_key_is_not_shown(self, pasted: str) -> None:
        with pytest.raises(IdentityError, match="the identity file cannot be read") as caught:
            load_identity(pasted)
        assert pasted[:12] not in str(caught.value)

    def test_that_do_not_exist(self, tmp_path: Path) -> None:
        with pytest.raises(IdentityError, match=r"nothing.pem' cannot be read: No such file"):
            load_identity(tmp_path / "nothing.pem")
        with pytest.raises(IdentityError, match="cannot be read: Is a directory"):
            load_identity(str(tmp_path))

    def test_that_are_too_large(self, tmp_path: Path) -> None:
        (tmp_path / "disk.img").write_bytes(bytes(MAX_FILE_SIZE + 1))
        with pytest.raises(IdentityError, match="is it the right file"):
            load_identity(tmp_path / "disk.img")

    def test_that_are_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "identity.pem.encrypted").write_bytes(bytes(range(256)))
        with pytest.raises(IdentityError, match="not a PEM text"):
            load_identity(tmp_path / "identity.pem.encrypted")

    def test_a_name_that_might_be_a_secret_is_not_shown(self) -> None:
        pasted = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n" * 2
        for source in (pasted, pasted.replace("\n", "") * 3, "nul\x00"):
            with pytest.raises(IdentityError) as caught:
                load_identity(source)
            assert "MC4CAQ" not in str(caught.value)

    @pytest.mark.parametrize("name", ["!" * 100_000, "! " * 50_000, "a" * 100_000, "-" * 201])
    def test_a_long_name_is_not_shown(self, name: str) -> None:
        with pytest.raises(IdentityError) as caught:
            load_identity(name)
        assert len(str(caught.value)) < 200

    def test_a_name_of_many_words_may_be_a_seed_phrase(self) -> None:
        assert files._may_be_secret("one two three four five six seven eight nine")
        assert not files._may_be_secret("my secret keys/of the lab/identity.pem")


class TestSecretsStayInside:
    @pytest.mark.parametrize(
        "text",
        [
            json.dumps(KEY_PAIR)[:-1],
            json.dumps([KEY_PAIR[0], KEY_PAIR[1] + "0"]),
            json.dumps([SECP256K1.public_key_der.hex(), KEY_PAIR[1]]),
            json.dumps({"identity": KEY_PAIR, "delegation": json.dumps(KEY_PAIR)}),
            json.dumps({"identity": KEY_PAIR, "delegation": {"delegations": [], "publicKey": "x" + KEY_PAIR[1]}}),
            json.dumps({"identity": json.dumps(KEY_PAIR) + "x", "delegation": CHAIN}),
            ED25519_PEM.replace("-----END", "----END"),
            ED25519_PEM.replace("9g\n", "9?\n"),
        ],
    )
    def test_in_errors_and_their_causes(self, text: str) -> None:
        with pytest.raises(IdentityError) as caught:
            load_identity(text)
        error: BaseException | None = caught.value
        while error is not None:
            shown = f"{error!r} {vars(error)}".lower()
            assert ED25519_SECRET.hex()[:16] not in shown
            assert ED25519_PEM.splitlines()[1][20:40].lower() not in shown
            error = error.__cause__ or error.__context__


class TestIcPy:
    @pytest.mark.parametrize(
        ("kind", "secret", "expected"),
        [("ed25519", ED25519_SECRET, ED25519), ("secp256k1", SECP256K1_SECRET, SECP256K1)],
    )
    def test_its_keys(self, kind: str, secret: bytes, expected: Identity) -> None:
        theirs = ic.identity.Identity(privkey=secret.hex(), type=kind)
        ours = identity_of(theirs)
        assert signs_like(ours, expected)
        assert ours.public_key_der == theirs.der_pubkey
        assert ours.principal == Principal.of(theirs.sender())

    @pytest.mark.parametrize("kind", ["ed25519", "secp256k1"])
    def test_its_pem(self, kind: str) -> None:
        theirs = ic.identity.Identity(type=kind)
        assert load_identity(theirs.to_pem()).public_key_der == theirs.der_pubkey

    def test_its_anonymous_identity(self) -> None:
        assert identity_of(ic.identity.Identity(anonymous=True)) == AnonymousIdentity()

    def test_its_delegate_identity(self) -> None:
        theirs = ic.identity.DelegateIdentity.from_json(json.dumps(KEY_PAIR), CHAIN)
        assert identity_of(theirs) == DELEGATED

    def test_the_identity_of_its_agent(self) -> None:
        theirs = ic.agent.Agent(ic.identity.Identity(privkey=ED25519_SECRET.hex()), ic.client.Client("http://h"))
        assert identity_of(theirs) == ED25519

    def test_dropped_targets_are_found(self) -> None:
        chain = delegate_to(SECP256K1, ED25519, expiration_ns=NOW_NS, targets=[CANISTER]).chain
        theirs = ic.identity.DelegateIdentity.from_json(json.dumps(KEY_PAIR), chain.to_json())
        with pytest.raises(IdentityError, match=r"ic-py has dropped its targets.*load_identity"):
            identity_of(theirs)
        loaded = load_identity(chain.to_json(), session=ED25519)
        assert loaded.delegations == chain.delegations

    def test_our_identities_and_files(self, tmp_path: Path) -> None:
        (tmp_path / "identity.pem").write_text(ED25519_PEM)
        assert identity_of(ED25519) is ED25519
        assert identity_of(ED25519_PEM) == identity_of(tmp_path / "identity.pem") == ED25519

    @pytest.mark.parametrize("value", [None, 7, object()])
    def test_other_types_are_refused(self, value: object) -> None:
        with pytest.raises(ArgumentTypeError, match="is not an identity"):
            identity_of(value)
        with pytest.raises(ArgumentTypeError):
            load_identity(value)  # type: ignore[arg-type]  # the misuse under test

    @pytest.mark.parametrize(
        "value",
        [
            SimpleNamespace(key_type="p256", privkey="00"),
            SimpleNamespace(key_type="ed25519", privkey="zz"),
            SimpleNamespace(identity=ED25519, delegations=[{}], der_pubkey=b""),
        ],
    )
    def test_other_objects_of_ic_py_are_refused(self, value: object) -> None:
        with pytest.raises(IdentityError):
            identity_of(value)


class TestHostileFiles:
    @given(st.text() | st.sampled_from([CHAIN, ED25519_PEM, json.dumps(KEY_PAIR)]), st.integers(0, 500), st.text())
    def test_only_documented_errors_come_out(self, text: str, kept: int, tail: str) -> None:
        with contextlib.suppress(IdentityError):
            load_identity("{" + text[1:kept] + tail)
        with contextlib.suppress(IdentityError):
            load_identity(text[:kept].encode() + tail.encode())


def test_a_chain_contains_no_secret() -> None:
    assert DelegationChain.from_json(json.loads(CHAIN)) == DELEGATED.chain
