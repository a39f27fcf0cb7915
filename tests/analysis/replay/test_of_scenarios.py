"""Every scenario whose client is the SDK as it is ends as the replay foretells; the others are found out.

tests/node holds the same predictions against ic-websocket-js itself.
"""

from __future__ import annotations

from typing import Final

import pytest

from icws_explore.analysis.replay.replay import Replay, replay_sessions
from icws_explore.lab.scenarios import SCENARIOS
from icws_explore.protocol.client.machine import ClientMachine

# Clients with a machine of their own that end as the SDK does: its keep-alives race with its messages, as the SDK's
# do where signing is slow; and nobody answers a signature that is wrong, which is every client's own and not compared.
LIKE_THE_SDK: Final = {"KEEPALIVE_RACE", "BAD_SIGNATURE"}
# An old SDK's machine is the new one's with a shorter time-out, which the recording does not say: that is noted.
OLDER: Final = {"ACK_DEFAULTS_SKEW"}


# What these clients do differently is not compared: signatures, expiries, encodings, sizes, subprotocols, the nonces
# of other sessions, and pages that reload or that end at a message of their own.
NOT_COMPARED: Final = {
    "CLOSED_AT_128",
    "EXPIRY_REUSED",
    "FRAME_TOO_LARGE",
    "INDEFINITE_CBOR",
    "NONCE_REUSED",
    "PAGE_IDLE_RELOAD",
    "SIGNER_CHANGED",
    "SUBPROTOCOL",
}


def is_sdk(name: str) -> bool:
    own = all(client.machine is ClientMachine for client in SCENARIOS[name].plan().clients)
    return name in LIKE_THE_SDK or (own and name not in OLDER)


def replays(name: str) -> list[Replay]:
    return replay_sessions(SCENARIOS[name].run(1).raw)


@pytest.mark.parametrize("name", sorted(filter(is_sdk, SCENARIOS)))
class TestTheSdkAsItIs:
    def test_ends_as_foretold(self, name: str) -> None:
        for replay in replays(name):
            assert replay.client is None, str(replay.client)
            closed = (
                replay.recorded_close if replay.recorded_close and replay.recorded_close.direction == "out" else None
            )
            if replay.predicted_close is not None:
                assert closed is not None
                assert (closed.code, closed.reason) == (replay.predicted_close.code, replay.predicted_close.reason)
            else:
                assert closed is None or closed.code == 1000  # the scenario's end


@pytest.mark.parametrize("name", sorted(name for name in SCENARIOS if not is_sdk(name) and name not in NOT_COMPARED))
def test_a_custom_client_is_distinguished_from_the_sdk(name: str) -> None:
    told = [replay.notes if name in OLDER else replay.client for replay in replays(name)]
    assert any(told), told


@pytest.mark.parametrize("name", sorted(NOT_COMPARED))
def test_what_is_not_compared_stays_unnoticed(name: str) -> None:
    """If the replay learns to see one of these, it leaves the list."""
    assert all(replay.client is None for replay in replays(name))
