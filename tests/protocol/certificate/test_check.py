from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import leb128
from icws_explore.protocol.certificate import CERTIFICATE_STEPS, Certificate, check_certificate
from icws_explore.protocol.constants import MAINNET_ROOT_KEY, NS_PER_MS, NS_PER_S
from icws_explore.protocol.hashtree import Fork, Labeled, Leaf, build
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import first_failure, passed
from support.certificates import CANISTER, LAYOUTS, NOW_NS, RANGES, issuer, state

YEAR_NS = 365 * 24 * 3600 * NS_PER_S


def check(cert: bytes, **changes):
    facts = {"canister_id": CANISTER, "root_key": issuer().root_key_der, "now_ns": NOW_NS} | changes
    return check_certificate(cert, **facts)


class TestMainnet:
    """A real certificate of mainnet, signed by a subnet."""

    @pytest.fixture
    def vector(self, vectors):
        return vectors("mainnet_certificate")

    def walk(self, vector, **changes):
        facts = {
            "canister_id": Principal.from_text(vector["canister_id"]),
            "root_key": MAINNET_ROOT_KEY,
            "now_ns": int(vector["time_ns"]),
        } | changes
        return check_certificate(bytes.fromhex(vector["certificate_hex"]), **facts)

    def test_is_valid_at_its_time(self, vector) -> None:
        certificate, steps = self.walk(vector)
        assert certificate is not None
        assert passed(steps)
        assert [step.step for step in steps] == list(CERTIFICATE_STEPS)
        assert "2025-08-24 14:55:09.452 UTC" in steps[1].detail

    def test_is_too_old_a_year_later(self, vector) -> None:
        _, steps = self.walk(vector, now_ns=int(vector["time_ns"]) + YEAR_NS)
        failure = first_failure(steps)
        assert failure is not None
        assert (failure.step, failure.actual) == ("time", "2025-08-24 14:58:10.313 UTC")
        assert "31536000 s (365 days) before now" in failure.detail

    def test_is_not_valid_for_another_network(self, vector) -> None:
        _, steps = self.walk(vector, root_key=issuer().root_key_der)
        assert [step.ok for step in steps] == [True, False, None, None]

    def test_is_not_valid_for_a_canister_of_another_subnet(self, vector) -> None:
        _, steps = self.walk(vector, canister_id=CANISTER)
        assert [step.ok for step in steps] == [True, False, None, None]


class TestSteps:
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_certificates_of_the_issuer_are_valid(self, layout) -> None:
        certificate, steps = check(issuer(layout).certify(state(), CANISTER))
        assert certificate is not None
        assert [step.step for step in steps] == list(CERTIFICATE_STEPS)
        assert passed(steps)

    def test_the_signature_step_names_the_signer(self) -> None:
        for layout, signer in ((None, "the root key"), ("classic", "the subnet's key")):
            _, steps = check(issuer(layout).certify(state()))
            assert f"is signed by {signer} " in steps[2].detail

    def test_the_signature_step_has_both_sides(self) -> None:
        cert = issuer().certify(state())
        _, steps = check(cert)
        certificate = Certificate.decode(cert)
        assert certificate.tree.digest.hex() in str(steps[2].expected)
        assert issuer().root_key_der.hex() in str(steps[2].expected)
        assert steps[2].actual == f"signature {certificate.signature.hex()}"

    def test_after_a_failure_nothing_is_checked(self) -> None:
        certificate, steps = check(b"garbage")
        assert certificate is None
        assert [step.ok for step in steps] == [False, None, None, None]
        assert steps[1].detail == "not checked, because parse failed"

    def test_a_forged_signature(self) -> None:
        certificate = Certificate.decode(issuer().certify(state()))
        forged = replace(certificate, signature=issuer().certify(state(b"other"))[-48:]).encode()
        _, steps = check(forged)
        assert [step.ok for step in steps] == [True, True, False, None]

    def test_labels_that_are_not_in_order(self) -> None:
        time = Labeled(b"time", Leaf(leb128.encode_unsigned(NOW_NS)))
        _, steps = check(issuer().certify(Fork(time, Labeled(b"canister", Leaf(b"")))))
        assert steps[0].ok is False
        assert steps[0].detail == "the labels of the certificate's tree are not in ascending order under its root"
        inner = Fork(Labeled(b"b", Leaf(b"")), Labeled(b"a", Leaf(b"")))
        _, steps = check(issuer().certify(Fork(Labeled(b"canister", inner), time)))
        assert steps[0].detail.endswith("not in ascending order under canister")

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data) -> None:
        _, steps = check(data)
        assert steps[0].ok is False
        assert len(steps) == 4


class TestTime:
    """@dfinity/agent 2.4.1 certificate.ts: ages are in whole ms, and both limits are allowed."""

    @pytest.mark.parametrize(
        ("age_ms", "ok"),
        [(0, True), (300_000, True), (300_001, False), (-300_000, True), (-300_001, False), (10**12, False)],
    )
    def test_limits(self, age_ms, ok) -> None:
        # The certificate's time has a fraction of a millisecond, as real ones do. JavaScript drops it.
        _, steps = check(issuer().certify(state()), now_ns=NOW_NS // NS_PER_MS * NS_PER_MS + age_ms * NS_PER_MS)
        assert steps[3].ok is ok

    def test_the_maximum_age_does_not_limit_the_future(self) -> None:
        cert = issuer().certify(state())
        assert check(cert, now_ns=NOW_NS + 10 * NS_PER_S, max_age_s=9.5)[1][3].ok is False
        assert check(cert, now_ns=NOW_NS + 10 * NS_PER_S, max_age_s=10)[1][3].ok
        assert check(cert, now_ns=NOW_NS - 10 * NS_PER_S, max_age_s=0)[1][3].ok
        assert check(cert, now_ns=NOW_NS - 301 * NS_PER_S, max_age_s=10**9)[1][3].ok is False

    @pytest.mark.parametrize(
        ("now_ns", "detail"),
        [
            (NOW_NS + 2 * NS_PER_S, "certified 2 s before now; the maximum age is 300 s"),
            (NOW_NS - 2 * NS_PER_S, "certified 2 s after now by our clock; up to 300 s are allowed"),
            (NOW_NS + 400 * NS_PER_S, "too old: certified 400 s before now; the maximum age is 300 s"),
            (
                NOW_NS - 400 * NS_PER_S,
                "from the future: certified 400 s after now; at most 300 s are allowed, so a clock is wrong",
            ),
        ],
    )
    def test_details(self, now_ns, detail) -> None:
        step = check(issuer().certify(state()), now_ns=now_ns)[1][3]
        assert step.detail == detail
        assert step.actual == "2024-07-26 13:20:00.123 UTC"

    @pytest.mark.parametrize("tree", [build({}), build({b"time": b"\xff"})])
    def test_a_tree_without_a_valid_time(self, tree) -> None:
        _, steps = check(issuer().certify(tree))
        assert [step.ok for step in steps] == [True, True, True, False]
        assert steps[3].actual == "none"


class TestRanges:
    def test_limit_the_canisters_that_a_subnet_may_sign_for(self) -> None:
        outside = RANGES[0][1]
        inside = RANGES[1][0]
        between = Principal(outside.raw[:8] + b"\x02\x01")
        cert = issuer("classic").certify(state())
        assert passed(check(cert, canister_id=outside)[1])
        assert passed(check(cert, canister_id=inside)[1])
        assert not passed(check(cert, canister_id=between)[1])
        assert passed(check(cert, canister_id=None)[1])
