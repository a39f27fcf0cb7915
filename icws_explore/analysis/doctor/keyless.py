"""What can be said of a message's proof where no root key is known: all but who signed the certificate.

A HAR or a packet capture names no network. That the content is not the one of the witness, the witness
not the one that was certified, the certificate too old or of another canister shows all the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from icws_explore.protocol.certificate import Certificate, check_certificate, decode_cached, time_step
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.steps import Step

from ..decode import DecodedFrame

OF_THE_CERTIFICATE = ("parse", "delegation", "signature")
_TRIED = 3  # messages; one of them may have been altered
_LEFT_OUT = "left out: no root key is known"


def check_but_signature(
    cert: bytes, *, canister_id: object, root_key: bytes, now_ns: int, max_age_s: float
) -> tuple[Certificate | None, list[Step]]:
    """In the place of check_certificate: whatever signature and delegation there are, they pass."""
    del canister_id, root_key
    try:
        certificate = decode_cached(cert)
    except DecodeError as error:
        return None, [Step("parse", False, str(error))]
    passed = [Step(name, True, _LEFT_OUT) for name in OF_THE_CERTIFICATE]
    return certificate, [*passed, time_step(certificate, now_ns, max_age_s)]


def certifies(decoded: DecodedFrame, root_key: bytes | None) -> bool:
    """Whether the certificate of a canister message is signed under that root key (DER), whatever its age."""
    if root_key is None or decoded.canister_message is None:
        return False
    now_ns = round(decoded.frame.t * NS_PER_S)
    _, steps = check_certificate(decoded.canister_message.cert, canister_id=None, root_key=root_key, now_ns=now_ns)
    return all(step.ok for step in steps if step.step in OF_THE_CERTIFICATE)


def fitting_root_key(frames: Iterable[DecodedFrame], root_keys: Iterable[bytes]) -> bytes | None:
    """That of ``root_keys`` (DER) under which the first messages were certified; None: none of them."""
    messages = [decoded for decoded in frames if decoded.canister_message is not None][:_TRIED]
    return next((key for key in root_keys if any(certifies(decoded, key) for decoded in messages)), None)
