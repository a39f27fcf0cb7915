"""Recordings of a tap before and behind the real gateway 1.4.6, with clients that are not ours: docs/tried.md.

`stopped` and `upgraded` showed what only a real gateway does: it relays a message while its poller finds the canister
stopped, and one client of two learns that the canister has forgotten both.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.recording import load
from icws_explore.capture import Capture

FOLDER = Path(__file__).parents[2] / "vectors" / "real_gateway"
LOUD = {
    "healthy": (),
    "ic4j": (),
    "stopped": ("POLLER_DEAD",),
    "upgraded": ("UPGRADE_WIPE",),
    "trap": ("ON_MESSAGE_TRAP",),
    "keep_alive_late": ("KEEPALIVE_LATE",),
    "calls_refused": ("LOST_UP",),
    "not_registered": ("GATEWAY_NOT_REGISTERED",),
    "ic4j_closed": ("UNKNOWN_CLOSE_VARIANT",),
}


def capture_of(name: str) -> Capture:
    return load(FOLDER / f"{name}.icws.gz").raw


def loud(capture: Capture) -> tuple[str, ...]:
    return tuple(finding.id for finding in diagnose(capture) if finding.severity != "info")


@pytest.mark.parametrize("name", LOUD)
def test_the_cause_is_named_and_nothing_else_is_loud(name: str) -> None:
    assert loud(capture_of(name)) == LOUD[name]


@pytest.mark.parametrize("name", LOUD)
def test_without_the_network_side_as_well(name: str) -> None:
    capture = capture_of(name)
    sockets = Capture(capture.info, [frame for frame in capture.frames if not frame.is_http], capture.notes)
    assert loud(sockets) == LOUD[name]


@pytest.mark.parametrize("name", LOUD)
def test_everything_that_the_real_parts_wrote_is_read(name: str) -> None:
    kinds = {decoded.kind for decoded in decode_frames(capture_of(name))}
    assert "malformed" not in kinds


def test_both_clients_of_an_upgraded_canister_are_named() -> None:
    (finding,) = diagnose(capture_of("upgraded"))
    assert set(finding.sessions) == {"1", "2"}


def test_a_close_for_a_missing_keep_alive_is_not_called_one_for_a_wrong_number() -> None:
    (finding,) = diagnose(capture_of("calls_refused"))
    assert "KeepAliveTimeout" in finding.explanation
    assert "WrongSequenceNumber" not in finding.explanation


def test_ic4j_writes_cbor_of_indefinite_length() -> None:
    assert [finding.id for finding in diagnose(capture_of("ic4j"))] == ["INDEFINITE_CBOR"]
