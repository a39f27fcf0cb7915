"""`icws show`: the list, filters, one frame."""

import json

import pytest

from icws_explore.capture import load


class TestList:
    def test_has_a_line_a_frame(self, icws, recorded):
        assert icws("show", recorded).code == 0
        assert len(icws.out.splitlines()) == len(load(recorded)) + 1
        assert "handshake" in icws.out
        assert "\x1b" not in icws.out  # no colour into a pipe

    def test_as_json_has_the_documented_members(self, icws, recorded):
        rows = [json.loads(line) for line in icws("show", recorded, "--json").out.splitlines()]
        assert [row["frame"] for row in rows] == list(range(len(load(recorded))))
        assert set(rows[0]) == {"frame", "t", "direction", "kind", "sequence_num", "size", "summary"}
        assert [row["kind"] for row in rows[:3]] == ["handshake", "open_request", "open"]

    def test_filtered(self, icws, recorded):
        icws("show", recorded, "--json", "--where", 'kind in ("ack", "keep_alive") and size > 0')
        assert {json.loads(line)["kind"] for line in icws.out.splitlines()} == {"ack", "keep_alive"}

    def test_a_bad_filter_is_one_line(self, icws, recorded):
        assert "is not one of" in icws.fails(3, "show", recorded, "--where", "colour == 1")

    def test_a_torn_file_is_shown_up_to_its_tear_and_noted(self, icws, recorded, tmp_path):
        torn = tmp_path / "torn.icws"
        torn.write_bytes(recorded.read_bytes()[:-40])
        assert icws("show", torn, "--json").code == 0
        assert len(icws.out.splitlines()) == len(load(recorded)) - 1
        assert "is incomplete" in icws.err


class TestOneFrame:
    def test_describes_every_layer(self, icws, recorded):
        assert icws("show", recorded, "--frame", 1).code == 0
        for word in ("ws_open", "ingress_expiry", "gateway_principal", "sender"):
            assert word in icws.out

    def test_every_byte_on_demand(self, icws, recorded):
        assert icws("show", recorded, "--frame", 1, "--all").code == 0
        assert "hash of the name client_nonce" in icws.out

    def test_as_json_its_leaves_tile_it(self, icws, recorded):
        for number, frame in enumerate(load(recorded).frames):
            shown = json.loads(icws("show", recorded, "--frame", number, "--json").out)
            assert (shown["frame"], shown["size"]) == (number, len(frame.data))
            leaves = [field for field in shown["fields"] if field["leaf"]]
            at = 0
            for leaf in leaves if frame.data else ():
                assert leaf["start"] == at
                at = leaf["end"]
            assert at == len(frame.data)

    def test_in_json_leaves_are_found_by_their_ranges(self, icws, recorded):
        for number, _ in enumerate(load(recorded).frames):
            fields = json.loads(icws("show", recorded, "--frame", number, "--json").out)["fields"]
            spans = [(field["start"], field["end"]) for field in fields if field["start"] < field["end"]]
            assert len(spans) == len(set(spans))
            for field in fields:
                start, end = field["start"], field["end"]
                inside = [span for span in spans if start <= span[0] and span[1] <= end and span != (start, end)]
                assert field["leaf"] == (not inside)

    def test_no_filter_goes_with_it(self, icws, recorded):
        assert "exclude each other" in icws.fails(2, "show", recorded, "--frame", 1, "--where", "size > 0")

    def test_that_is_not_there(self, icws, recorded):
        assert "there is no frame 9999: the recording contains frames 0 to" in icws.fails(
            3, "show", recorded, "--frame", 9999
        )


class TestUnreadable:
    @pytest.mark.parametrize("content", [b"", b"garbage", b"\x00" * 50])
    def test_is_exit_3(self, icws, tmp_path, content):
        path = tmp_path / "bad.icws"
        path.write_bytes(content)
        assert str(path) in icws.fails(3, "show", path)
        assert str(path) in icws.fails(3, "verify", path)
