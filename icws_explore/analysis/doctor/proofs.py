"""Which root key the certificates of a recording were made under, and what can be checked without one.

A HAR or a packet capture names no network. Without a root key nobody can check who signed a certificate.
The rest of a proof can be checked: whether the witness belongs to the content, whether the certified data
is the witness's, how old the certificate is, and which canister it is about.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from icws_explore.protocol.certificate import Certificate, check_certificate, decode_cached, time_step
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.steps import Step

from ..decode import DecodedFrame

CERTIFICATE_STEPS: Final = ("parse", "delegation", "signature")
_NO_ROOT_KEY: Final = "not checked: no root key is known"
_MAX_TRIED: Final = 3  # messages; more than one, because one of them may have been altered


def check_without_root_key(
    cert: bytes, *, canister_id: object, root_key: bytes, now_ns: int, max_age_s: float
) -> tuple[Certificate | None, list[Step]]:
    """Check a certificate's time, and leave its signature and delegation unchecked (``ok`` None).

    It has the signature of `check_certificate` and takes its place in `check_message`. ``now_ns`` is in
    nanoseconds since the epoch.
    """
    del canister_id, root_key
    try:
        certificate = decode_cached(cert)
    except DecodeError as error:
        return None, [Step("parse", False, str(error))]
    unchecked = [Step(name, None, _NO_ROOT_KEY) for name in CERTIFICATE_STEPS[1:]]
    return certificate, [Step("parse", True, ""), *unchecked, time_step(certificate, now_ns, max_age_s)]


def is_certified_under(decoded: DecodedFrame, root_key: bytes | None) -> bool:
    """Whether the certificate of a canister message is signed under ``root_key`` (DER), however old it is."""
    if root_key is None or decoded.canister_message is None:
        return False
    now_ns = decoded.frame.t_ns
    _, steps = check_certificate(decoded.canister_message.cert, canister_id=None, root_key=root_key, now_ns=now_ns)
    return all(step.ok for step in steps if step.step in CERTIFICATE_STEPS)


def matching_root_key(frames: Iterable[DecodedFrame], root_keys: Iterable[bytes]) -> bytes | None:
    """The first of ``root_keys`` (DER) under which one of the first messages is certified, or None."""
    messages = [decoded for decoded in frames if decoded.canister_message is not None][:_MAX_TRIED]
    return next((key for key in root_keys if any(is_certified_under(decoded, key) for decoded in messages)), None)


def certificate_time_s(decoded: DecodedFrame) -> float | None:
    """The time that a canister message's certificate names, in seconds since the epoch; None if it names none."""
    if decoded.canister_message is None:
        return None
    try:
        time_ns = decode_cached(decoded.canister_message.cert).time_ns
    except DecodeError:
        return None
    return None if time_ns is None else time_ns / NS_PER_S
