"""What a test can do with a lab and its clients, in the simulator and over real sockets alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from icws_explore.protocol.errors import ArgumentValueError, LabError, ValueMismatchError
from icws_explore.testing.bench import CanisterLab, Record
from icws_explore.testing.failure import path_of, sections
from icws_explore.testing.settings import BenchSettings, Passing
from icws_explore.testing.sockets import SocketLab
from icws_explore.testing.virtual import VirtualLab

SHOUT = """
MESSAGE_TYPE = "record { text : text }"
def on_message(context, client, message):
    if message["text"] == "trap":
        context.trap("\\x1b[31mred")
    context.send(client, {"text": message["text"].upper()})
"""


def started(time: Passing, app: str | Path = "echo") -> CanisterLab:
    settings = BenchSettings(app=app, time=time, time_scale=120)
    return VirtualLab(settings) if time == "virtual" else SocketLab(settings)


@pytest.fixture(params=["virtual", "paused", "scaled"])
def lab(request: pytest.FixtureRequest) -> Iterator[CanisterLab]:
    running = started(request.param)
    yield running
    running.stop()


@pytest.fixture
def virtual() -> Iterator[CanisterLab]:
    running = started("virtual")
    yield running
    running.stop()


def say(text: str) -> dict[str, str]:
    return {"text": text}


class TestSessions:
    def test_send_receive_and_ack(self, lab: CanisterLab) -> None:
        client = lab.connect()
        assert client.is_open
        client.send(say("hello"))
        assert client.receive("60s") == say("hello")
        assert client.take() == []
        client.wait_for("keep_alive")
        assert (client.acks, client.keep_alives) == (1, 1)
        assert {frame.kind for frame in client.recording} == {
            "handshake", "open_request", "open", "message", "app", "ack", "keep_alive",
        }  # fmt: skip
        Record(lab).assert_healthy()
        client.close()
        assert client.closed == (1000, "")

    def test_an_upgrade_loses_them_and_a_client_comes_back(self, lab: CanisterLab) -> None:
        client = lab.connect()
        client.send(say("before"))
        client.receive("60s")
        lab.upgrade()
        client.send(say("after"))
        lab.advance("7m")
        assert client.closed is not None
        again = client.reconnect()
        assert again.principal == client.principal
        again.send(say("again"))
        assert again.receive("60s") == say("again")
        assert next(frame.session for frame in lab.recording().raw) == "1"

    def test_a_fault_of_the_catalogue(self, lab: CanisterLab) -> None:
        client = lab.connect()
        with lab.fault("SEQUENCE_GAP_DOWN"):
            for number in range(6):
                client.send(say(str(number)))
            assert lab.run_until(lambda: client.closed is not None, "2m")
        assert lab.used_faults == ["SEQUENCE_GAP_DOWN: it acted 1 time"]
        assert "SEQUENCE_GAP_DOWN" in Record(lab).findings.ids
        with pytest.raises(AssertionError, match="the doctor found"):
            Record(lab).assert_healthy()
        with pytest.raises(AssertionError, match="not open; the session is closed: 4000"):
            client.send(say("more"))


class TestVirtualTime:
    def test_each_run_is_the_same(self) -> None:
        recordings = []
        for _ in range(2):
            lab = started("virtual")
            client = lab.connect()
            client.send(say("a"))
            lab.advance("5m")
            recordings.append([(frame.t, frame.data) for frame in client.recording.raw])
        assert recordings[0] == recordings[1]

    def test_a_fault_that_it_cannot_make(self, virtual: CanisterLab) -> None:
        name, why = next(iter(virtual.faults.refused.items()))
        with pytest.raises(LabError, match=name), virtual.fault(name):
            pass
        assert why

    def test_another_code_at_an_upgrade(self, virtual: CanisterLab, tmp_path: Path) -> None:
        path = tmp_path / "shout.py"
        path.write_text(SHOUT)
        virtual.upgrade(path)
        client = virtual.connect()
        client.send(say("hello"))
        assert client.receive() == say("HELLO")


class TestMistakes:
    def test_no_message_comes(self, lab: CanisterLab) -> None:
        client = lab.connect()
        with pytest.raises(AssertionError, match="no message came within 1s of protocol time"):
            client.receive("1s")
        with pytest.raises(AssertionError, match="no frame of the kind close within 2 s"):
            client.wait_for("close", 2)
        with pytest.raises(ArgumentValueError):
            client.wait_for("nothing")  # type: ignore[arg-type]  # the misuse under test
        with pytest.raises(ValueMismatchError):
            client.send({"txt": 1})

    def test_a_session_that_does_not_open(self, virtual: CanisterLab) -> None:
        virtual.simulation.world.stop_canister()  # type: ignore[attr-defined]
        with pytest.raises(AssertionError, match="the session did not open"):
            virtual.connect()

    def test_a_stopped_canister_over_sockets(self) -> None:
        lab = started("paused")
        try:
            lab.lab.stop_canister()  # type: ignore[attr-defined]
            with pytest.raises(AssertionError, match="did not open: canister .* is stopped"):
                lab.connect()
            with pytest.raises(AssertionError, match="no session has been opened"):
                lab.recording()
        finally:
            lab.stop()


class TestFailures:
    def test_leave_a_recording_and_the_doctors_words(self, tmp_path: Path) -> None:
        path = tmp_path / "shout.py"
        path.write_text(SHOUT)
        lab = started("virtual", path)
        client = lab.connect()
        client.send(say("trap"))
        lab.advance("5s")
        file = path_of(tmp_path / "recordings", "tests/test_a.py::test_b[c/d]")
        assert file.name == "tests_test_a.py_test_b_c_d.icws"
        parts = dict(sections(lab, file))
        assert file.exists()
        assert "4 frames" in parts["icws recording"]
        assert parts["icws doctor"]
        assert "trapped" in parts["icws canister, replica and gateway"]
        assert "\x1b" not in "".join(parts.values())

    def test_without_a_session_leave_the_events(self, virtual: CanisterLab, tmp_path: Path) -> None:
        assert sections(virtual, tmp_path / "a.icws") == []
        virtual.upgrade()
        assert [title for title, _ in sections(virtual, tmp_path / "a.icws")] == ["icws canister, replica and gateway"]
        assert not (tmp_path / "a.icws").exists()

    def test_long_names_are_cut(self, tmp_path: Path) -> None:
        assert len(path_of(tmp_path, "x" * 1000).name) < 120
