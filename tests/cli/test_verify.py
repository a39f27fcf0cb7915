"""`icws verify`: exit 0 for authentic, 1 for not, 3 where there is nothing to judge by."""

import base64
import dataclasses
import json

from icws_explore.capture import Capture, load, save
from icws_explore.protocol.messages import CanisterMessage


def changed(path, to, change):
    """The capture at ``path`` with its first application message changed; gives that frame's number."""
    capture = load(path)
    for number, frame in enumerate(capture.frames):
        if frame.direction == "in" and b"websocket" in frame.data:
            capture.frames[number] = dataclasses.replace(frame, data=change(frame.data))
            save(capture, to)
            return number
    raise AssertionError("no canister message")


class TestAuthentic:
    def test_says_so(self, icws, recorded):
        assert icws("verify", recorded).code == 0
        assert "canister messages are authentic" in icws.out.splitlines()[-1]

    def test_every_step_on_demand(self, icws, recorded):
        icws("verify", recorded, "--all")
        for step in ("parse", "delegation", "signature", "time", "certified_data", "lookup", "body", "sequence"):
            assert step in icws.out

    def test_json_is_as_documented(self, icws, recorded):
        messages = json.loads(icws("verify", recorded, "--json").out)["messages"]
        assert all(message["ok"] for message in messages)
        assert [step["step"] for step in messages[0]["steps"]] == [
            "parse", "delegation", "signature", "time", "certified_data", "lookup", "body", "sequence", "client_key",
        ]  # fmt: skip
        assert set(messages[0]["steps"][0]) == {"step", "ok", "detail"}

    def test_under_the_key_given(self, icws, recorded):
        key = load(recorded).info.root_key.hex()
        assert icws("verify", recorded, "--root-key", key).code == 0


class TestEnvelopes:
    def test_are_checked_on_demand(self, icws, recorded):
        assert icws("verify", recorded, "--envelopes").code == 0
        assert icws.out.splitlines()[-1].endswith("requests are valid")
        icws("verify", recorded, "--envelopes", "--all")
        assert "method ws_open" in icws.out
        assert "request_id" in icws.out

    def test_as_json(self, icws, recorded):
        assert "envelopes" not in json.loads(icws("verify", recorded, "--json").out)
        envelopes = json.loads(icws("verify", recorded, "--envelopes", "--json").out)["envelopes"]
        assert envelopes[0]["method"] == "ws_open"
        assert all(envelope["ok"] for envelope in envelopes)
        assert set(envelopes[0]["steps"][0]) == {"step", "ok", "detail"}

    def test_a_forged_one_is_named(self, icws, recorded, tmp_path):
        capture = load(recorded)
        number = next(n for n, frame in enumerate(capture.frames) if frame.direction == "out")
        data = bytearray(capture.frames[number].data)
        data[-1] ^= 1  # the end of the signature
        capture.frames[number] = dataclasses.replace(capture.frames[number], data=bytes(data))
        path = save(capture, tmp_path / "f.icws")
        assert icws("verify", path).code == 0
        assert icws("verify", path, "--envelopes", "--json").code == 1
        bad = [each for each in json.loads(icws.out)["envelopes"] if not each["ok"]]
        assert [each["frame"] for each in bad] == [number]
        assert next(step["step"] for step in bad[0]["steps"] if step["ok"] is False) == "signature"


class TestNotAuthentic:
    def test_a_changed_body_is_named(self, icws, recorded, tmp_path):
        def tamper(data):
            message = CanisterMessage.decode(data)
            content = message.content[:-1] + bytes([message.content[-1] ^ 1])
            return dataclasses.replace(message, content=content).encode()

        number = changed(recorded, tmp_path / "t.icws", tamper)
        assert icws("verify", tmp_path / "t.icws", "--json").code == 1
        bad = [m for m in json.loads(icws.out)["messages"] if not m["ok"]]
        assert [message["frame"] for message in bad] == [number]
        failed = [step["step"] for step in bad[0]["steps"] if step["ok"] is False]
        assert failed[0] == "body"

    def test_another_networks_key(self, icws, recorded):
        assert icws("verify", recorded, "--root-key", "mainnet").code == 1
        assert "0 of" in icws.out.splitlines()[-1]


class TestNothingToJudgeBy:
    def test_no_key_in_the_capture(self, icws, recorded, tmp_path):
        capture = load(recorded)
        path = save(Capture(dataclasses.replace(capture.info, root_key=None), capture.frames), tmp_path / "k.icws")
        assert "--root-key" in icws.fails(3, "verify", path)

    def test_no_canister_message(self, icws, recorded, tmp_path):
        capture = load(recorded)
        path = save(Capture(capture.info, capture.frames[:1]), tmp_path / "k.icws")
        assert "nothing to verify" in icws.fails(3, "verify", path)
        assert "nothing to verify" in icws.fails(3, "verify", path, "--json")
        assert json.loads(icws.out) == {"messages": []}

    def test_no_canister_is_noted_and_the_other_steps_are_judged(self, icws, recorded, tmp_path):
        capture = load(recorded)
        received = [frame for frame in capture.frames if frame.direction == "in"]
        path = save(Capture(dataclasses.replace(capture.info, canister_id=None), received), tmp_path / "c.icws")
        assert icws("verify", path, "--json").code == 1
        steps = json.loads(icws.out)["messages"][0]["steps"]
        assert {step["step"]: step["ok"] for step in steps}["certified_data"] is None
        assert {step["step"]: step["ok"] for step in steps}["body"] is True
        assert "--canister" in icws.err
        assert icws("verify", path, "--canister", capture.info.canister_id).code == 0

    def test_bad_options(self, icws, recorded):
        icws.fails(2, "verify", recorded, "--root-key", "xyz")
        icws.fails(2, "verify", recorded, "--root-key", "mainnet", "--network", "http://127.0.0.1:1")
        icws.fails(3, "verify", recorded, "--network", "nonsense")
        icws.fails(3, "verify", recorded, "--canister", "nonsense")


class TestHostileCapture:
    def test_huge_numbers_and_base64_do_not_crash(self, icws, recorded, tmp_path):
        lines = recorded.read_text().splitlines()
        odd = {"t": 1e11, "d": "in", "op": "binary", "b": base64.b64encode(b"\x9b" + b"\xff" * 8).decode()}
        path = tmp_path / "odd.icws"
        path.write_text("\n".join([lines[0], json.dumps(odd), *lines[1:]]))
        assert icws("show", path).code == 0
        assert icws("verify", path).code == 0
