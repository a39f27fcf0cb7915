from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.protocol.certificate import Certificate
from icws_explore.protocol.certificate.format import signature_fault
from icws_explore.protocol.hashtree import build
from icws_explore.protocol.keys import bls
from icws_explore.protocol.keys.bls import SecretKey
from support.certificates import issuer, state

CERTIFICATE = Certificate.decode(issuer().certify(state()))
ROOT_KEY = issuer().root_key_der


class TestSignatureFault:
    def test_none(self) -> None:
        assert signature_fault(CERTIFICATE, ROOT_KEY) is None

    @pytest.mark.parametrize(
        ("certificate", "key", "fault"),
        [
            (replace(CERTIFICATE, tree=build({})), ROOT_KEY, "altered, or the key is another network's"),
            (CERTIFICATE, SecretKey(b"other").public_key_der, "altered, or the key is another network's"),
            (CERTIFICATE, ROOT_KEY[37:], "the key to check with cannot be used: BLS public key: bare key"),
            (replace(CERTIFICATE, signature=b""), ROOT_KEY, "a signature has 48 bytes, not 0"),
            (replace(CERTIFICATE, signature=b"\xc0" + bytes(47)), ROOT_KEY, "point at infinity"),
        ],
        ids=["other tree", "other key", "bare key", "no signature", "infinity"],
    )
    def test_says_what_is_wrong(self, certificate, key, fault) -> None:
        assert fault in (signature_fault(certificate, key) or "")

    def test_a_poll_is_verified_once(self, monkeypatch) -> None:
        fresh = Certificate.decode(issuer().certify(state(b"verified once")))
        assert signature_fault(fresh, ROOT_KEY) is None
        monkeypatch.setattr(bls, "verify", None)
        assert signature_fault(fresh, ROOT_KEY) is None
