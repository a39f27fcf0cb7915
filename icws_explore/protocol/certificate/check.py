"""Is a certificate authentic and recent? Four steps: parse, delegation, signature, time.

Source: interface specification, "Certificate" (verify_cert), and @dfinity/agent 2.4.1 certificate.ts
for the time: in whole milliseconds, the limit itself still allowed, five minutes to the future
whatever the maximum age.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from .. import hashtree
from ..constants import MAX_CERTIFICATE_AGE_S, NS_PER_MS
from ..errors import DecodeError
from ..principal import Principal
from ..steps import Step
from .delegation import check_delegation
from .format import Certificate, hash_text, key_text, seconds_text, signature_fault, time_text

CERTIFICATE_STEPS: Final = ("parse", "delegation", "signature", "time")

_CACHED: Final = 16  # certificates; those of a gateway come one after the other
_CACHED_SIZE: Final = 64 * 1024  # bytes


def check_certificate(
    cert: bytes,
    *,
    canister_id: Principal | None,
    root_key: bytes,
    now_ns: int,
    max_age_s: float = MAX_CERTIFICATE_AGE_S,
) -> tuple[Certificate | None, list[Step]]:
    """The certificate in ``cert`` (None if it is none) and the walk over it.

    ``root_key`` is DER; ``now_ns`` the time to judge its age at; ``canister_id`` the canister that a
    delegation's ranges must hold (None: not judged). The walk ends at the first step that fails;
    those behind it have ok None. Never raises for what is in ``cert``.
    """
    try:
        certificate = decode_cached(cert)
    except DecodeError as error:
        return None, [Step("parse", False, str(error)), *unjudged(CERTIFICATE_STEPS[1:], "parse")]
    steps = [_parse_step(certificate, len(cert))]
    if steps[0].ok:
        key, step = check_delegation(certificate, canister_id, root_key)
        steps.append(step)
    if steps[-1].ok:
        steps.append(_signature_step(certificate, key))
    if steps[-1].ok:
        steps.append(time_step(certificate, now_ns, max_age_s))
    return certificate, [*steps, *unjudged(CERTIFICATE_STEPS[len(steps) :], steps[-1].step)]


def decode_cached(cert: bytes) -> Certificate:
    """Certificate.decode, once for all the messages of a poll. Raises what it raises."""
    decode = _decoded if len(cert) <= _CACHED_SIZE else Certificate.decode
    return decode(bytes(cert))


@lru_cache(maxsize=_CACHED)
def _decoded(cert: bytes) -> Certificate:
    return Certificate.decode(cert)


def unjudged(names: tuple[str, ...], failed: str) -> list[Step]:
    """The steps that come behind the one that failed."""
    return [Step(name, None, f"not judged, because {failed} failed") for name in names]


def _parse_step(certificate: Certificate, size: int) -> Step:
    disorder = hashtree.disorder(certificate.tree)
    if disorder is not None:
        where = "/".join(label.decode("ascii", "replace") for label in disorder) or "its root"
        return Step("parse", False, f"the labels of the certificate's tree are not in ascending order under {where}")
    brings = "without a delegation" if certificate.delegation is None else "which brings a delegation from the root key"
    return Step("parse", True, f"a certificate of {size} bytes, {brings}")


def _signature_step(certificate: Certificate, key: bytes) -> Step:
    root_hash = hashtree.root_hash(certificate.tree)
    signer = "the root key" if certificate.delegation is None else "the subnet's key"
    fault = signature_fault(certificate, key)
    expected = f"signature of root hash {root_hash.hex()} by {signer} {key.hex()}"
    if fault is None:
        detail = f"the state tree's root hash {hash_text(root_hash)} is signed by {signer} {key_text(key)}"
    else:
        detail = f"the state tree's root hash {hash_text(root_hash)} is not signed by {signer} {key_text(key)}: {fault}"
    return Step("signature", fault is None, detail, expected, f"signature {certificate.signature.hex()}")


def time_step(certificate: Certificate, now_ns: int, max_age_s: float) -> Step:
    """Whether the certificate is recent enough at ``now_ns``."""
    now_ms, oldest_ms = now_ns // NS_PER_MS, round(max_age_s * 1000)
    newest_ms = MAX_CERTIFICATE_AGE_S * 1000
    expected = (
        f"from {time_text((now_ms - oldest_ms) * NS_PER_MS)} to {time_text((now_ms + newest_ms) * NS_PER_MS)} "
        f"({seconds_text(oldest_ms)} before to {seconds_text(newest_ms)} after now)"
    )
    time_ns = certificate.time_ns
    if time_ns is None:
        return Step("time", False, "the certificate shows no time that could be read", expected, "none")
    age_ms = now_ms - time_ns // NS_PER_MS
    actual = time_text(time_ns)
    if age_ms > oldest_ms:
        limit = f"the maximum age is {seconds_text(oldest_ms)}"
        detail = f"too old: certified {seconds_text(age_ms)} before now, and {limit}"
    elif -age_ms > newest_ms:
        limit = f"more than {seconds_text(newest_ms)} cannot be, so a clock is wrong"
        detail = f"from the future: certified {seconds_text(-age_ms)} after now; {limit}"
    elif age_ms >= 0:
        detail = f"certified {seconds_text(age_ms)} before now; the maximum age is {seconds_text(oldest_ms)}"
    else:
        detail = (
            f"certified {seconds_text(-age_ms)} after now by our clock; up to {seconds_text(newest_ms)} are allowed"
        )
    return Step("time", -newest_ms <= age_ms <= oldest_ms, detail, expected, actual)
