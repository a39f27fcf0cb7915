"""A drill against dapps of three kinds: one that reconnects, one that gives up, one that says nothing."""

import asyncio
import contextlib
import threading

import pytest

from icws_explore.lab import Lab
from icws_explore.lab.drill import SLOW, Drill, drill_faults
from icws_explore.live.connect import connect
from icws_explore.live.tap import Tap
from icws_explore.protocol.errors import ConnectError, IcwsError, LabError, SessionClosedError


@pytest.fixture
def lab():
    with Lab("echo", time_scale=20) as running:
        yield running


class Dapp(threading.Thread):
    """Talks through a tap until it is stopped; comes back while ``reconnects``."""

    def __init__(self, tap, lab, *, reconnects=True, talks=True):
        super().__init__(daemon=True)
        self.tap, self.lab, self.reconnects, self.talks = tap, lab, reconnects, talks
        self.over = threading.Event()

    def run(self):
        asyncio.run(self._live())

    async def _live(self):
        while not self.over.is_set():
            with contextlib.suppress(SessionClosedError, ConnectError, TimeoutError):
                await self._session()
            if not self.reconnects:
                return

    async def _session(self):
        lab = self.lab
        async with connect(self.tap.url, network=lab.network_url, canister=lab.canister_id, clock=lab.clock) as session:
            while not self.over.is_set():
                if self.talks:
                    await session.send({"text": "hello"})
                    await session.receive(60)
                await asyncio.sleep(0.01)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(60)


def rows(tap, *names, patience_s=20.0, return_s=20.0):
    return list(Drill(tap, patience_s=patience_s, return_s=return_s).run(drill_faults(tap, names)))


class TestRows:
    @pytest.mark.slow
    def test_of_a_dapp_that_reconnects(self, lab):
        names = ("BODY_HASH", "SEQUENCE_GAP_DOWN", "CONNECTION_LOST", "UNEXPLAINED_END", "OPEN_TIMEOUT", "NO_HANDSHAKE")
        with Tap(lab) as tap, Dapp(tap, lab):
            found = rows(tap, *names)
        assert [row.fault for row in found] == list(names)
        assert {(row.noticed, row.recovered) for row in found} == {("yes", "yes")}
        told = {row.fault: row.did.partition(";")[0] for row in found}
        assert told["BODY_HASH"] == "it closed with 4000 'Error receiving message'"
        assert told["CONNECTION_LOST"] == "its session was ended"
        assert told["UNEXPLAINED_END"] == "its session was ended with 1011"
        assert told["OPEN_TIMEOUT"] == "it closed with 4000 'Open connection timeout'"
        assert all(row.after_s is not None and row.back_s is not None for row in found)

    def test_of_one_that_gives_up(self, lab):
        with Tap(lab) as tap, Dapp(tap, lab, reconnects=False):
            first, second = rows(tap, "CONNECTION_LOST", "BODY_HASH", return_s=2.0)
        assert (first.did, first.noticed, first.recovered) == (
            "its session was ended; it did not come back",
            "no",
            "no",
        )
        assert (second.did, second.noticed, second.recovered) == ("no session was open", "not checked", "not checked")

    def test_of_one_that_says_nothing(self, lab):
        with Tap(lab) as tap, Dapp(tap, lab, talks=False):
            (row,) = rows(tap, "SEQUENCE_GAP_DOWN", patience_s=0.5)
        assert (row.noticed, row.recovered) == ("not checked", "not checked")
        assert row.did == "the fault found nothing to act on in 0.5 s"

    def test_of_one_that_does_not_notice(self, lab):
        """Here: the fault is over before the client could see a fourth number that is missing."""
        with Tap(lab) as tap, Dapp(tap, lab):
            (row,) = rows(tap, "SLOW_CLIENT_STALL", patience_s=0.5)
        assert (row.noticed, row.recovered, row.did) == ("not needed", "yes", "its session went on")


class TestFaults:
    def test_are_those_that_act_soon_unless_named(self):
        tap = Tap("ws://127.0.0.1:1")
        usual = {scenario.name for scenario in drill_faults(tap)}
        assert "BODY_HASH" in usual
        assert not usual & {*SLOW, "CLIENT_KEY_FOREIGN"}
        assert {scenario.name for scenario in drill_faults(tap, slow=True)} == usual | set(SLOW)
        assert [scenario.name for scenario in drill_faults(tap, ["proxy-idle"])] == ["PROXY_IDLE"]

    def test_what_a_tap_cannot_make_is_one_line(self):
        with pytest.raises(LabError, match="KEEPALIVE_LATE cannot be drilled: the client makes it"):
            drill_faults(Tap("ws://127.0.0.1:1"), ["KEEPALIVE_LATE"])
        with pytest.raises(IcwsError, match="there is no fault"):
            drill_faults(Tap("ws://127.0.0.1:1"), ["nonsense"])
