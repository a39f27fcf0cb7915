"""Real cryptography, and the stand-in, which proves nothing but shows what was altered."""

from dataclasses import replace

import pytest

from icws_explore.lab.replica.subnet import LabKeys
from icws_explore.lab.simulator import CanisterSettings, Population, simulate
from icws_explore.lab.simulator.crypto import (
    RealCryptography,
    StandInCryptography,
    StandInKey,
    check_stand_in_certificate,
    check_stand_in_envelope,
    cryptography,
)
from icws_explore.protocol.certificate import Certificate, check_certificate
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope, check_envelope
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.steps import first_failure

NOW_NS = 1_767_225_600 * NS_PER_S
KEYS = LabKeys(1)


@pytest.fixture(scope="module")
def simulation():
    return simulate(duration="30s", crypto="stand-in", population=Population(think_ms=1_000))


@pytest.fixture(scope="module")
def certificate(simulation):
    message = next(d.canister_message for d in simulation if d.canister_message)
    return Certificate.decode(message.cert)


@pytest.fixture(scope="module")
def root_key(simulation):
    return simulation.world.replica.root_key


class TestChoice:
    def test_by_name(self):
        assert isinstance(cryptography("real", KEYS, delegated=True), RealCryptography)
        assert isinstance(cryptography("stand-in", KEYS, delegated=True), StandInCryptography)
        with pytest.raises(ArgumentValueError, match="stand-in"):
            cryptography("rot13", KEYS, delegated=True)

    def test_real_keys_are_real(self):
        real = cryptography("real", KEYS, delegated=True)
        assert isinstance(real.identity("client 0"), Ed25519Identity)
        assert real.envelope_check is check_envelope
        assert real.subnet.root_key.startswith(bytes.fromhex("308182301d"))


class TestStandInEnvelope:
    def steps(self, simulation, **changes):
        envelope = Envelope.decode_frame(simulation.raw.frames[1].data)
        content = {**envelope.content, **changes.pop("content", {})}
        changed = replace(envelope, content=content, **changes)
        return first_failure(check_stand_in_envelope(changed, now_ns=NOW_NS, root_key=b""))

    def test_passes_unaltered(self, simulation):
        assert self.steps(simulation) is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"sender_sig": bytes(64)},
            {"sender_sig": None},
            {"sender_pubkey": b"another"},
            {"content": {"arg": b"altered"}},
        ],
        ids=["signature", "unsigned", "key", "content"],
    )
    def test_shows_what_was_altered(self, simulation, changes):
        assert self.steps(simulation, **changes) is not None

    def test_is_invalid_for_the_real_check(self, simulation):
        envelope = Envelope.decode_frame(simulation.raw.frames[1].data)
        assert first_failure(check_envelope(envelope, now_ns=NOW_NS)) is not None


class TestStandInCertificate:
    def failed(self, cert, root_key, now_ns=NOW_NS):
        _, steps = check_stand_in_certificate(cert, canister_id=None, root_key=root_key, now_ns=now_ns, max_age_s=300)
        assert [step.step for step in steps] == ["parse", "delegation", "signature", "time"]
        failure = first_failure(steps)
        return failure and failure.step

    def test_passes_unaltered(self, certificate, root_key):
        assert self.failed(certificate.encode(), root_key) is None

    def test_shows_what_was_altered(self, certificate, root_key):
        assert self.failed(b"nonsense", root_key) == "parse"
        assert self.failed(replace(certificate, signature=bytes(48)).encode(), root_key) == "signature"
        assert self.failed(certificate.encode(), StandInKey(b"another").public_key_der) == "delegation"
        broken = replace(certificate.delegation, certificate=b"nonsense")
        assert self.failed(replace(certificate, delegation=broken).encode(), root_key) == "delegation"

    def test_expires(self, certificate, root_key):
        assert self.failed(certificate.encode(), root_key, NOW_NS + 400 * NS_PER_S) == "time"

    def test_is_invalid_for_the_real_check(self, certificate, root_key):
        _, steps = check_certificate(certificate.encode(), canister_id=None, root_key=root_key, now_ns=NOW_NS)
        assert first_failure(steps).step == "delegation"

    def test_works_without_a_delegation(self):
        simulation = simulate(duration="30s", crypto="stand-in", canister=CanisterSettings(delegated=False))
        assert simulation.counts.opened == 1
        message = next(d.canister_message for d in simulation if d.canister_message)
        assert Certificate.decode(message.cert).delegation is None
