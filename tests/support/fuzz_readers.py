"""Every reader of untrusted bytes, as a function of bytes. Each returns, or raises a documented error.

`make fuzz` drives these with atheris, and tests/fuzz/test_corpus.py with the stored corpus. A reader of files gets its
bytes through a file, because that is how the package reads them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.decode import decode_frame
from icws_explore.analysis.filter import compile_filter
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Capture, Frame, SessionInfo, load
from icws_explore.capture.flows import load_flows
from icws_explore.capture.har import load_har
from icws_explore.capture.packets import load_pcap
from icws_explore.capture.websocket_stream import StreamMessages, read_answer, read_request
from icws_explore.live.listen import Visitors
from icws_explore.live.tap_handshake import UpgradeRequest
from icws_explore.protocol import candid, cbor, hashtree
from icws_explore.protocol.certificate import Certificate
from icws_explore.protocol.credentials import shown_url, without_credentials
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.keys.files import load_identity
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal

from .annotated import APP_TYPE
from .session_captures import healthy


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


@cache
def _scratch() -> Path:
    """A file of this process, in memory where there is such a place."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="icws-fuzz-", dir=memory if memory.is_dir() else None)
    return Path(folder) / "input"


def through_a_file(read: Callable[[Path], object]) -> Callable[[bytes], None]:
    def read_bytes(data: bytes) -> None:
        _scratch().write_bytes(data)
        read(_scratch())

    return read_bytes


def frame(data: bytes) -> None:
    for direction in ("in", "out"):
        shown = Frame(0.0, direction, "binary", data)  # type: ignore[arg-type]
        decoded = decode_frame(shown, app_type=APP_TYPE)
        assert len(decoded.summary) < 10_000
        annotate_frame(shown, app_type=APP_TYPE)


def verified(data: bytes) -> None:
    info: SessionInfo = healthy().info
    list(verify_capture(Capture(info, [Frame(0.0, "in", "binary", data)])))


def messages(data: bytes) -> None:
    stream = StreamMessages(masked=bool(data[:1] < b"\x80"))
    for start in range(1, len(data), 7):
        stream.feed(data[start : start + 7])


def upgrade(data: bytes) -> None:
    request = UpgradeRequest.read(data)
    Visitors().refusal(*(request.values(name) for name in ("host", "origin", "sec-fetch-site")))


def credentials(data: bytes) -> None:
    text = text_of(data)
    shown_url(text)
    without_credentials(text, "secret")


def filtered(data: bytes) -> None:
    matches = compile_filter(text_of(data))
    matches(decode_frame(Frame(0.0, "in", "binary", b"x"), number=3), 0.0)


def values(data: bytes) -> None:
    candid.parse_value(text_of(data), APP_TYPE)


def typed(data: bytes) -> None:
    candid.decode(data, [APP_TYPE])


READERS: Mapping[str, Callable[[bytes], Any]] = {
    "answer_head": read_answer,
    "candid": candid.decode_typed,
    "candid_typed": typed,
    "canister_message": CanisterMessage.decode,
    "cbor": cbor.loads,
    "certificate": Certificate.decode,
    "credentials": credentials,
    "did": lambda data: candid.parse_did(text_of(data)),
    "envelope": Envelope.decode,
    "filter": filtered,
    "flows": through_a_file(load_flows),
    "frame": frame,
    "har": through_a_file(load_har),
    "hash_tree": hashtree.decode,
    "identity": load_identity,
    "identity_file": through_a_file(load_identity),
    "packets": through_a_file(load_pcap),
    "principal": lambda data: Principal.of(text_of(data)),
    "principal_bytes": Principal.of,
    "recording": through_a_file(load),
    "request_head": read_request,
    "upgrade": upgrade,
    "value_text": values,
    "verify": verified,
    "websocket": messages,
}


def read_one(name: str, data: bytes) -> None:
    """Give ``data`` to a reader. A documented error of one line is an answer; everything else is a fault."""
    try:
        READERS[name](data)
    except IcwsError as error:
        assert "\n" not in str(error), f"{name}: an error of several lines"
        assert len(str(error)) < 4_000, f"{name}: an error of {len(str(error))} characters"
