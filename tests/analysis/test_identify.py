"""What an imported capture's own frames say of it."""

from dataclasses import replace

from icws_explore.analysis.imports import identify, parties
from icws_explore.capture import Capture, Frame, SessionInfo
from icws_explore.capture.files import MAX_ALIKE
from support.certified_canister import CANISTER_ID
from support.session_captures import SessionScript


def imported(*scripts, **info):
    frames = [frame for script in scripts for frame in script.capture.frames]
    return Capture(SessionInfo(origin="har", **info), frames)


class TestIdentify:
    def test_canister_and_client_are_those_of_the_first_envelope(self):
        script = SessionScript().opened().client_says(3.0, "hello")
        info = identify(imported(script)).info
        assert info.canister_id == CANISTER_ID.text
        assert info.client_principal == script.identity.principal.text

    def test_an_existing_note_stays(self):
        info = identify(imported(SessionScript().opened(), canister_id="aaaaa-aa", client_principal="2vxsx-fae")).info
        assert (info.canister_id, info.client_principal) == ("aaaaa-aa", "2vxsx-fae")

    def test_a_socket_of_something_else_is_named(self):
        capture = imported(SessionScript(session="1").opened())
        capture.frames.append(Frame(9.0, "out", "text", b'{"type": "hmr"}', session="2"))
        found = identify(capture)
        assert found.info.canister_id == CANISTER_ID.text
        assert found.notes == ["session 2 sent no IC WebSocket request"]

    def test_very_many_of_them_are_counted(self):
        capture = imported(SessionScript(session="1").opened())
        capture.frames += [Frame(9.0, "out", "text", b"hi", session=f"other {number}") for number in range(1000)]
        notes = identify(capture).notes
        assert len(notes) == MAX_ALIKE + 1
        assert notes[-1] == f"{1000 - MAX_ALIKE} more sessions that sent none"

    def test_nothing_to_learn_from(self):
        capture = Capture(frames=[Frame(1.0, "out", "binary", b"\xff"), Frame(1.0, "in", "binary", b"")])
        assert identify(capture).info == capture.info
        assert list(parties(capture)) == []

    def test_another_canister_is_a_note(self):
        from icws_explore.protocol.envelope import call_content, sign_envelope
        from icws_explore.protocol.principal import Principal

        script = SessionScript().opened()
        other = Principal.from_text("aaaaa-aa")
        content = call_content(other, "ws_open", b"", script.identity.principal, 1, b"n" * 16)
        capture = imported(script)
        capture.frames.append(replace(capture.frames[1], data=sign_envelope(content, script.identity).encode_frame()))
        found = identify(capture)
        assert found.info.canister_id == CANISTER_ID.text
        assert "aaaaa-aa" in found.notes[0]
