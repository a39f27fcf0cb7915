"""Malformed files of every kind: one documented error in one line, or a capture with notes of what it lacks.

A good file of each format, mutated at every JSON node, and at bytes all over: what is read is what was
there, no command raises, and what was imported can be shown, verified and examined.
"""

from __future__ import annotations

import json
import os

import pytest

from icws_explore.capture import Frame, load, save
from icws_explore.capture.har import load_har
from icws_explore.capture.packets import load_pcap
from icws_explore.protocol.errors import CaptureError
from support import hostile_files as hostile
from support.cost import lines_of

# Lines of Python that may be executed: some times what the worst of these files needs. One of them is no larger than
# 200 kB; what grows with its square would need millions.
LOAD_LINES = 50_000
COMMAND_LINES = {"show": 500_000, "verify": 2_000_000, "doctor": 500_000, "report": 20_000_000}
MAX_NOTE = 400


@pytest.fixture(scope="module")
def capture(recorded):
    return load(recorded)


@pytest.fixture
def commands(icws):
    """Runs every command that reads captures."""

    def run(path, *, report=False):
        asked = [("show", path), ("show", path, "--json"), ("verify", path, "--envelopes"), ("doctor", path)]
        asked += [("report", path, "-o", path.with_suffix(".html"))] if report else []
        for arguments in asked:
            lines_of(lambda arguments=arguments: icws(*arguments), most=COMMAND_LINES[arguments[0]])
            errors = [line for line in icws.err.splitlines() if line.startswith("icws: ")]
            assert icws.code in (0, 1, 3), (arguments, icws.err)
            assert len(errors) == (icws.code == 3), (arguments, icws.err)

    return run


def read(loader, path):
    """The capture in the file, or None where it is refused as it should be."""
    found = None

    def load_it():
        nonlocal found
        try:
            found = loader(path)
        except CaptureError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < MAX_NOTE + len(str(path))

    lines_of(load_it, most=LOAD_LINES)
    if found is None:
        return None
    assert all("\n" not in note and len(note) < MAX_NOTE for note in found.notes)
    return found


def is_storable(capture, folder):
    """What was read can be written and is the same when read again."""
    stored = load(save(capture, folder / "stored.icws"))
    return (stored.frames, stored.notes) == (capture.frames, capture.notes)


class TestIcws:
    def test_every_node_of_every_line(self, recorded, tmp_path):
        lines, path = hostile.lines_of(recorded, 3), tmp_path / "m.icws"
        whole = [Frame.from_json(line) for line in lines[1:]]
        kept = 0
        for number, line in enumerate(lines):
            for what, text in hostile.mutations(line):
                content = [text if at == number else json.dumps(each) for at, each in enumerate(lines)]
                path.write_text("\n".join(content) + "\n", encoding="utf-8")
                found = read(load, path)
                if found is None:
                    assert number == 0, what
                    assert "'icws'" in what, what  # of another version
                    continue
                kept += 1
                others = [frame for at, frame in enumerate(whole, 1) if at != number]
                assert [frame for frame in found.frames if frame in others] == others, what
                assert len(found.frames) == len(whole) or found.notes, what
        assert kept > 1000

    @pytest.mark.parametrize("part", range(4))
    def test_through_every_command(self, recorded, tmp_path, commands, part):
        lines, path = hostile.lines_of(recorded, 12), tmp_path / "m.icws"
        for number in range(part, len(lines), 4):
            for _, text in hostile.some(hostile.mutations(lines[number]), 0.03, seed=number):
                content = [text if at == number else json.dumps(each) for at, each in enumerate(lines)]
                path.write_text("\n".join(content) + "\n", encoding="utf-8")
                commands(path)
        commands(path, report=True)

    def test_packed_and_cut_or_changed_anywhere(self, capture, tmp_path):
        path = save(capture, tmp_path / "m.icws.gz")
        content = path.read_bytes()
        for _, damaged in hostile.changed(content, seed=3, count=400):
            path.write_bytes(damaged)
            found = read(load, path)
            assert found is None or is_storable(found, tmp_path)


class TestHar:
    def test_every_node(self, capture, tmp_path):
        document, path = hostile.har_of(capture, 3), tmp_path / "m.har"
        kept = 0
        for what, text in hostile.some(hostile.mutations(document), 0.4):
            path.write_text(text, encoding="utf-8")
            found = read(load_har, path)
            if found is not None:
                kept += 1
                assert is_storable(found, tmp_path), what
                assert len(found.frames) == 5 or found.notes, what
        assert kept > 500

    def test_cut_anywhere(self, capture, tmp_path):
        content, path = json.dumps(hostile.har_of(capture, 2)).encode(), tmp_path / "m.har"
        path.write_bytes(content)
        whole = [frame.data for frame in load_har(path).frames]
        for length in range(0, len(content), 3):
            path.write_bytes(content[:length])
            found = read(load_har, path)
            assert found is None or [frame.data for frame in found.frames] == whole[: len(found.frames)]

    def test_imported_and_through_every_command(self, icws, capture, tmp_path, commands):
        document, path, out = hostile.har_of(capture, 8), tmp_path / "m.har", tmp_path / "o.icws"
        key = capture.info.root_key.hex()
        for _, text in hostile.some(hostile.mutations(document), 0.01):
            path.write_text(text, encoding="utf-8")
            out.unlink(missing_ok=True)
            icws("import", path, "-o", out, "--root-key", key)
            assert (icws.code == 0) == out.exists()
            if out.exists():
                commands(out)


class TestPackets:
    def test_changed_anywhere(self, capture, tmp_path):
        path, kept = tmp_path / "m.pcap", 0
        for number, (name, content) in enumerate(hostile.packet_files(capture, 4).items()):
            for what, damaged in hostile.changed(content, seed=number, count=150):
                path.write_bytes(damaged)
                found = read(load_pcap, path)
                if found is not None:
                    kept += 1
                    assert is_storable(found, tmp_path), (name, what)
        assert kept > 300

    def test_imported_and_through_every_command(self, icws, capture, tmp_path, commands):
        path, out, key = tmp_path / "m.pcap", tmp_path / "o.icws", capture.info.root_key.hex()
        content = hostile.packet_files(capture, 8)["two.pcapng"]
        for _, damaged in hostile.changed(content, seed=9, count=25):
            path.write_bytes(damaged)
            out.unlink(missing_ok=True)
            icws("import", path, "-o", out, "--root-key", key)
            assert (icws.code == 0) == out.exists()
            if out.exists():
                commands(out)


class TestWrongFiles:
    """The wrong file for a command is called by its name, and what to do is said."""

    @pytest.fixture
    def files(self, recorded, capture, tmp_path):
        har = json.dumps(hostile.har_of(capture, 3)).encode()
        contents = {
            "a.icws": recorded.read_bytes(),
            "a.har": har,
            "a.pcap": hostile.packet_files(capture, 3)["ethernet.pcap"],
            "utf16.icws": recorded.read_text("utf-8").encode("utf-16"),
            "a.zip": b"PK\x03\x04",
            "page": b"<!doctype html>",
            "junk": bytes(range(256)) * 100,
            "zeros": bytes(10_000),
            "empty": b"",
            "blank": b"\n" * 1000,
        }
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content)
        return tmp_path

    @pytest.mark.parametrize("command", ["show", "verify", "doctor", "report"])
    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("utf16.icws", "save it as UTF-8"),
            ("a.zip", "unpack it first"),
            ("page", "a web page"),
            ("junk", "not a capture"),
            ("zeros", "not a capture"),
            ("empty", "is empty"),
            ("blank", "is empty"),
            ("missing", "No such file"),
        ],
    )
    def test_where_a_capture_is_wanted(self, icws, files, command, name, said):
        assert said in icws.fails(3, command, files / name)

    @pytest.mark.parametrize("command", ["show", "verify", "report"])
    def test_a_folder_where_a_capture_is_wanted(self, icws, files, command):
        assert "directory" in icws.fails(3, command, files)

    def test_a_folder_of_them_is_a_line_each_for_the_doctor(self, icws, files):
        assert icws("doctor", files).code in (1, 3)
        assert sum(line.startswith("– ") for line in icws.out.splitlines()) >= 1

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("a.icws", "it is a capture: icws show"),
            ("a.zip", "unpack it first"),
            ("page", "a web page"),
            ("junk", "not a HAR file"),
            ("zeros", "not a HAR file"),
            ("empty", "it is empty"),
            ("blank", "it is empty"),
            (".", "directory"),
            ("missing", "No such file"),
        ],
    )
    def test_where_one_is_to_be_imported(self, icws, files, name, said):
        assert said in icws.fails(3, "import", files / name, "-o", files / "o.icws")
        assert not (files / "o.icws").exists()

    def test_names_do_not_matter(self, icws, files):
        for name in ("a.har", "a.pcap"):
            odd = (files / name).rename(files / f"{name}.txt")
            assert icws("import", odd, "-o", files / f"{name}.icws").code == 0
            assert icws("show", odd).code == 0


class TestTheSystem:
    """What a file system does while one reads."""

    @pytest.mark.parametrize("command", ["show", "import"])
    def test_permission_denied(self, icws, recorded, tmp_path, monkeypatch, command):
        def refuse(*_arguments, **_options):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("pathlib.Path.open", refuse)
        extra = ["-o", tmp_path / "o.icws"] if command == "import" else []
        assert "Permission denied" in icws.fails(3, command, recorded, *extra)

    @pytest.mark.parametrize("kind", ["icws", "har", "pcap"])
    def test_a_disk_that_fails_costs_the_rest_of_the_file(self, capture, tmp_path, monkeypatch, kind):
        frames = capture.frames * 20
        path = tmp_path / f"a.{kind}"
        many = type(capture)(capture.info, frames)
        if kind == "icws":
            save(many, path)
        elif kind == "har":
            path.write_text(json.dumps(hostile.har_of(many, len(frames))), encoding="utf-8")
        else:
            path.write_bytes(hostile.packets.pcap(hostile.talk_of(many, len(frames)).packets))
        half = path.stat().st_size // 2
        loader = {"icws": load, "har": load_har, "pcap": load_pcap}[kind]
        with monkeypatch.context() as patched:
            patched.setattr("pathlib.Path.open", lambda path, mode: _failing(path, half))
            found = loader(path)
        assert 10 < len(found) < len(loader(path))
        assert any("Input/output error" in note for note in found.notes)


def _failing(path, limit):
    """The file, until ``limit`` bytes of it have been read; then the disk fails."""
    import io

    class Failing(io.FileIO):
        left = limit

        def readinto(self, buffer):
            if self.left <= 0:
                raise OSError(5, os.strerror(5))
            count = super().readinto(memoryview(buffer)[: self.left])
            self.left -= count
            return count

    return io.BufferedReader(Failing(path))
