"""IC certificates: reading them, checking them step by step, and issuing them for the lab."""

from __future__ import annotations

from .check import CERTIFICATE_STEPS, check_certificate, decode_cached, time_ns_cached, time_step, unchecked
from .delegation import (
    Layout,
    Range,
    ShownRanges,
    SubnetProof,
    check_delegation,
    decode_ranges,
    encode_ranges,
    prove_subnet,
    shown_ranges,
)
from .format import STATE_ROOT, Certificate, Delegation
from .issuer import DELEGATION_PERIOD_NS, CertificateIssuer, SigningKey

__all__ = [
    "CERTIFICATE_STEPS",
    "DELEGATION_PERIOD_NS",
    "STATE_ROOT",
    "Certificate",
    "CertificateIssuer",
    "Delegation",
    "Layout",
    "Range",
    "ShownRanges",
    "SigningKey",
    "SubnetProof",
    "check_certificate",
    "check_delegation",
    "decode_cached",
    "decode_ranges",
    "encode_ranges",
    "prove_subnet",
    "shown_ranges",
    "time_ns_cached",
    "time_step",
    "unchecked",
]
