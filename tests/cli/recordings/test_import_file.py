"""`icws import`: HAR and packets in, an .icws file out that verifies like the recording it is of."""

import base64
import json
import shutil
from pathlib import Path

import pytest

from icws_explore.capture import load
from icws_explore.lab import Lab
from support import packets
from support.doctor_cases import FOLDER
from support.packets import Talk
from support.raw_tcp import frame

VECTORS = Path(__file__).parents[2] / "vectors"


@pytest.fixture
def har(recorded, tmp_path):
    """The recorded session as Chrome would have written it."""
    messages = [
        {
            "type": "send" if f.direction == "out" else "receive",
            "time": f.t,
            "opcode": 2,
            "data": base64.b64encode(f.data).decode(),
        }
        for f in load(recorded).frames
        if f.op == "binary"
    ]
    entry = {"_resourceType": "websocket", "_webSocketMessages": messages, "request": {"url": "wss://gw/"}}
    path = tmp_path / "session.har"
    path.write_text(json.dumps({"log": {"entries": [entry]}}))
    return path


class TestFlows:
    def test_of_mitmproxy_become_a_recording_that_the_doctor_reads(self, icws, tmp_path):
        out, source = tmp_path / "out.icws", VECTORS / "mitmproxy.flow"
        assert icws("import", source, "-o", out, "--url", ":35473").code == 0, icws.err
        imported = load(out)
        assert (imported.info.origin, imported.info.gateway_url) == ("mitmproxy", "ws://127.0.0.1:35473/")
        found = [icws("doctor", path, "--json", "--url", ":35473").out for path in (source, out)]
        assert [json.loads(each)["findings"] for each in found] == [[], []]

    def test_in_a_folder_are_found(self, icws, tmp_path):
        shutil.copy(VECTORS / "mitmproxy.flow", tmp_path / "dapp.flow")
        assert icws("doctor", tmp_path, "--json").code == 1
        assert "SOCKET_NEVER_OPENED" in icws.out


class TestHar:
    def test_verifies_as_the_recording_does(self, icws, recorded, har, tmp_path):
        out = tmp_path / "out.icws"
        info = load(recorded).info
        assert icws("import", har, "-o", out, "--root-key", info.root_key.hex()).code == 0, icws.err
        imported = load(out).info
        assert (imported.origin, imported.canister_id, imported.gateway_url) == ("har", info.canister_id, "wss://gw/")
        assert imported.client_principal == info.client_principal
        theirs, ours = (json.loads(icws("verify", path, "--json").out)["messages"] for path in (recorded, out))
        assert ours == theirs

    def test_json(self, icws, har, tmp_path):
        facts = json.loads(icws("import", har, "-o", tmp_path / "o.icws", "--root-key", "mainnet", "--json").out)
        assert set(facts) == {"file", "frames", "sessions", "canister_id", "client_principal", "root_key", "notes"}
        assert facts["sessions"] == 1

    def test_without_a_key_it_says_what_to_give(self, icws, har, tmp_path):
        icws("import", har, "-o", tmp_path / "o.icws")
        assert icws.code == 0
        assert "--root-key or --network" in icws.err
        assert icws.out.splitlines()[-1] == f"wrote {tmp_path / 'o.icws'}; next: icws doctor {tmp_path / 'o.icws'}"

    def test_the_network_gives_key_and_message_type(self, icws, har, tmp_path):
        with Lab(app="pingpong", seed=3) as lab:  # as `recorded` was made: the same keys and ids
            root_key = lab.root_key
            arguments = ["--network", lab.network_url, "--ack-interval-ms", 300000]
            assert icws("import", har, "-o", tmp_path / "o.icws", *arguments).code == 0, icws.err
        info = load(tmp_path / "o.icws").info
        assert info.root_key == root_key
        assert "text" in info.app_type
        assert info.ack_interval_ms == 300000


class TestPackets:
    def test_become_a_capture(self, icws, recorded, tmp_path):
        talk = Talk().opened()
        for f in load(recorded).frames:
            if f.op == "binary":
                say = talk.up if f.direction == "out" else talk.down
                say(frame(2, f.data, masked=f.direction == "out"))
        path = tmp_path / "session.pcapng"
        path.write_bytes(packets.pcapng(talk.packets))
        out = tmp_path / "o.icws.gz"
        assert icws("import", path, "-o", out, "--app-type", "record { text : text }").code == 0, icws.err
        assert [f.data for f in load(out).frames] == [f.data for f in load(recorded).frames if f.op == "binary"]


class TestErrors:
    @pytest.mark.parametrize("content", ["", "nonsense", "{}", '{"log": {"entries": []}}', "PK\x03\x04"])
    def test_no_recording(self, icws, tmp_path, content):
        path = tmp_path / "x.har"
        path.write_text(content)
        icws.fails(3, "import", path, "-o", tmp_path / "o.icws")
        assert not (tmp_path / "o.icws").exists()

    def test_the_file_itself_is_not_overwritten(self, icws, har):
        before = har.read_bytes()
        assert "another" in icws.fails(3, "import", har, "-o", har)
        assert har.read_bytes() == before

    def test_bad_options(self, icws, har, tmp_path):
        out = tmp_path / "o.icws"
        icws.fails(2, "import", har)
        icws.fails(2, "import", har, "-o", out, "--root-key", "mainnet", "--network", "http://x")
        icws.fails(3, "import", har, "-o", out, "--canister", "nonsense")
        icws.fails(3, "import", har, "-o", out, "--app-type", "missing.did")
        icws.fails(3, "import", har, "-o", out, "--url", "nobody")
        icws.fails(3, "import", tmp_path / "missing.har", "-o", out)
        icws.fails(3, "import", har, "-o", tmp_path / "missing" / "o.icws")

    def test_a_socket_of_another_kind_is_noted(self, icws, tmp_path):
        message = {"type": "send", "time": 1.0, "opcode": 1, "data": "hi"}
        path = tmp_path / "x.har"
        path.write_text(json.dumps({"log": {"entries": [{"_webSocketMessages": [message]}]}}))
        icws("import", path, "-o", tmp_path / "o.icws")
        assert icws.code == 0
        assert "check that the right socket was recorded" in icws.err


class TestPageCalls:
    def test_are_kept_for_the_doctor(self, icws, tmp_path):
        path = tmp_path / "two.icws"
        assert icws("import", FOLDER / "har_two_identities.har", "-o", path).code == 0
        assert load(path).page_calls
        found = [icws("doctor", source, "--json").out for source in (FOLDER / "har_two_identities.har", path)]
        assert [[each["id"] for each in json.loads(out)["findings"]] for out in found] == [["CALLER_MISMATCH"]] * 2
