"""A HAR or a packet capture in the place of an .icws file, for every command that reads one."""

import base64
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from icws_explore.capture import Capture, load, save
from icws_explore.cli.options import read_capture
from icws_explore.protocol.errors import CaptureError
from support.packets import Talk, pcap, pcapng
from support.raw_tcp import frame as websocket_frame
from support.session_captures import healthy

OPCODES = {"text": 1, "binary": 2}


@pytest.fixture
def har(tmp_path):
    """A healthy session as a browser writes it."""
    messages = [
        {
            "type": "send" if frame.direction == "out" else "receive",
            "time": frame.t,
            "opcode": OPCODES[frame.op],
            "data": base64.b64encode(frame.data).decode(),
        }
        for frame in healthy().frames
        if frame.op in OPCODES
    ]
    entry = {"_resourceType": "websocket", "request": {"url": "wss://gateway.example/"}, "_webSocketMessages": messages}
    path = tmp_path / "session.har"
    path.write_text(json.dumps({"log": {"entries": [entry]}}))
    return path


KEY = healthy().info.root_key.hex()


class TestHar:
    def test_is_read_as_import_does(self, har, capsys):
        capture = read_capture(str(har))
        assert (capture.info.origin, capture.info.canister_id) == ("har", healthy().info.canister_id)
        assert len(capture) == sum(frame.op in OPCODES for frame in healthy().frames)
        assert "a HAR file, read as by icws import" in capsys.readouterr().err

    @pytest.mark.parametrize("command", ["doctor", "verify", "show", "report"])
    def test_every_command_takes_it(self, command, har, icws):
        options = () if command == "show" else ("--root-key", KEY)
        assert icws(command, har, *options).code == 0, icws.err
        assert icws.err.startswith(f"{har} is a HAR file")

    def test_a_broken_one(self, har, icws):
        har.write_text('{"log": {"entries": [')
        icws.fails(3, "doctor", har)


class TestPackets:
    @pytest.mark.parametrize("written", [pcap, pcapng])
    def test_are_read_too(self, written, tmp_path, icws):
        talk = Talk().opened()
        for frame in healthy().frames:
            if frame.op == "binary":
                say = talk.up if frame.direction == "out" else talk.down
                say(websocket_frame(2, frame.data, masked=frame.direction == "out"))
        path = tmp_path / "session.pcap"
        path.write_bytes(written(talk.packets))
        assert icws("show", path).code == 0, icws.err
        assert "is a packet capture, read as by icws import" in icws.err
        assert "handshake" in icws.out


class TestOthers:
    def test_an_icws_file_as_it_is(self, recorded, capsys):
        assert read_capture(str(recorded)) == load(recorded)
        assert capsys.readouterr().err == ""

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="only POSIX has pipes with names")
    def test_a_capture_out_of_a_pipe(self, recorded, tmp_path):
        """As a shell's <(ssh host cat session.icws) is one."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(pipe.write_bytes, recorded.read_bytes())
            assert read_capture(str(pipe)) == load(recorded)

    def test_its_notes_are_noted(self, tmp_path, capsys):
        capture = healthy()
        path = save(Capture(replace(capture.info, client_principal=None), capture.frames), tmp_path / "s.icws")
        path.write_bytes(path.read_bytes()[:-9])
        assert len(read_capture(str(path))) == len(capture) - 1
        assert "left out" in capsys.readouterr().err

    def test_none(self, tmp_path, icws):
        with pytest.raises(CaptureError):
            read_capture(str(tmp_path / "none.icws"))
        icws.fails(3, "show", tmp_path)
