"""Whether a certificate is authentic and recent, in four steps: parse, delegation, signature, time.

Sources: interface specification, "Certificate" (verify_cert); for the time, @dfinity/agent 2.4.1
certificate.ts: ages are in whole milliseconds, the maximum age itself is still allowed, and five
minutes into the future are allowed whatever the maximum age.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from .. import hashtree
from ..constants import MAX_CERTIFICATE_AGE_S, NS_PER_MS
from ..errors import DecodeError, count_of
from ..principal import Principal
from ..steps import Step
from ..wording import duration_text, hash_text, time_text
from .delegation import check_delegation
from .format import Certificate, key_text, signature_fault, time_ns_of

CERTIFICATE_STEPS: Final = ("parse", "delegation", "signature", "time")

_CACHED: Final = 16  # certificates; those of one gateway come one after the other
_CACHED_SIZE: Final = 64 * 1024  # bytes


def check_certificate(
    cert: bytes,
    *,
    canister_id: Principal | None,
    root_key: bytes,
    now_ns: int,
    max_age_s: float = MAX_CERTIFICATE_AGE_S,
) -> tuple[Certificate | None, list[Step]]:
    """Decode and check a certificate: (the certificate or None if it cannot be decoded, the four steps).

    ``root_key`` is DER. The certificate's age is judged at ``now_ns``. A delegation must cover
    ``canister_id`` (None: not checked). After the first step that fails, the others have ok None.
    Never raises for the content of ``cert``.
    """
    try:
        certificate = decode_cached(cert)
    except DecodeError as error:
        return None, [Step("parse", False, str(error)), *unchecked(CERTIFICATE_STEPS[1:], "parse")]
    steps = [_parse_step(certificate, len(cert))]
    if steps[0].ok:
        key, step = check_delegation(certificate, canister_id, root_key)
        steps.append(step)
    if steps[-1].ok:
        steps.append(_signature_step(certificate, key))
    if steps[-1].ok:
        steps.append(time_step(certificate, now_ns, max_age_s))
    return certificate, [*steps, *unchecked(CERTIFICATE_STEPS[len(steps) :], steps[-1].step)]


def decode_cached(cert: bytes) -> Certificate:
    """`Certificate.decode`, done once for all messages of a poll. Raises the same errors."""
    decode = _decoded if len(cert) <= _CACHED_SIZE else Certificate.decode
    return decode(bytes(cert))


@lru_cache(maxsize=_CACHED)
def _decoded(cert: bytes) -> Certificate:
    return Certificate.decode(cert)


def time_ns_cached(cert: bytes) -> int | None:
    """The ``time_ns`` of a certificate, read once for all messages of a poll. Raises the errors of `decode_cached`."""
    read = _time_ns if len(cert) <= _CACHED_SIZE else time_ns_of
    return read(bytes(cert))


@lru_cache(maxsize=_CACHED)
def _time_ns(cert: bytes) -> int | None:
    return time_ns_of(cert)


def unchecked(names: tuple[str, ...], failed: str) -> list[Step]:
    """The steps that are not checked because the step ``failed`` has failed."""
    return [Step(name, None, f"not checked, because {failed} failed") for name in names]


def _parse_step(certificate: Certificate, size: int) -> Step:
    disorder = hashtree.disorder(certificate.tree)
    if disorder is not None:
        where = "/".join(label.decode("ascii", "replace") for label in disorder) or "its root"
        return Step("parse", False, f"the labels of the certificate's tree are not in ascending order under {where}")
    signer = "without a delegation" if certificate.delegation is None else "with a delegation by the root key"
    return Step("parse", True, f"a certificate of {count_of(size, 'byte')}, {signer}")


def _signature_step(certificate: Certificate, key: bytes) -> Step:
    root_hash = hashtree.root_hash(certificate.tree)
    signer = "the root key" if certificate.delegation is None else "the subnet's key"
    fault = signature_fault(certificate, key)
    expected = f"root hash {root_hash.hex()} under {signer} {key.hex()}"
    if fault is None:
        detail = f"the state tree's root hash {hash_text(root_hash)} is signed by {signer} {key_text(key)}"
    else:
        detail = f"the state tree's root hash {hash_text(root_hash)} is not signed by {signer} {key_text(key)}: {fault}"
    return Step("signature", fault is None, detail, expected, f"signature {certificate.signature.hex()}")


def time_step(certificate: Certificate, now_ns: int, max_age_s: float) -> Step:
    """Whether the certificate is recent enough at ``now_ns``. ``max_age_s`` is the maximum age in seconds."""
    now_ms, oldest_ms = now_ns // NS_PER_MS, round(max_age_s * 1000)
    newest_ms = MAX_CERTIFICATE_AGE_S * 1000
    expected = (
        f"from {time_text((now_ms - oldest_ms) * NS_PER_MS)} to {time_text((now_ms + newest_ms) * NS_PER_MS)} "
        f"({_ms_text(oldest_ms)} before to {_ms_text(newest_ms)} after now)"
    )
    time_ns = certificate.time_ns
    if time_ns is None:
        return Step("time", False, "the certificate shows no valid time", expected, "none")
    age_ms = now_ms - time_ns // NS_PER_MS
    actual = time_text(time_ns)
    if age_ms > oldest_ms:
        detail = f"too old: certified {_ms_text(age_ms)} before now; the maximum age is {_ms_text(oldest_ms)}"
    elif -age_ms > newest_ms:
        detail = (
            f"from the future: certified {_ms_text(-age_ms)} after now; at most {_ms_text(newest_ms)} are allowed, "
            "so a clock is wrong"
        )
    elif age_ms >= 0:
        detail = f"certified {_ms_text(age_ms)} before now; the maximum age is {_ms_text(oldest_ms)}"
    else:
        detail = f"certified {_ms_text(-age_ms)} after now by our clock; up to {_ms_text(newest_ms)} are allowed"
    return Step("time", -newest_ms <= age_ms <= oldest_ms, detail, expected, actual)


@lru_cache(maxsize=64)  # the limits are the same in every step
def _ms_text(duration_ms: int) -> str:
    return duration_text(duration_ms * NS_PER_MS)
