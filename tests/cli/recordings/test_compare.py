"""`icws compare`: exit 0 where nothing differs, 1 with the first difference, 3 for what cannot be read."""

import json

from support.data_files import SESSIONS

GOOD, BAD = SESSIONS / "healthy.icws", SESSIONS / "lost_message.icws"


class TestCompare:
    def test_the_same(self, icws):
        assert icws("compare", GOOD, GOOD).code == 0
        assert icws.out.splitlines()[-1] == "the same: 17 events, with no difference but what differs in every run"

    def test_the_first_difference_is_marked(self, icws):
        assert icws("compare", GOOD, BAD).code == 1
        assert "first difference messages: BAD lacks frame 8 of GOOD" in icws.out
        marked = [line for line in icws.out.splitlines() if line.startswith("▶")]
        assert len(marked) == 1
        assert marked[0].startswith("▶     8   13.716 ← ■ app")
        assert icws.out.splitlines()[-1] == "3 differences: messages 1, order 1, proofs 1"

    def test_both_files_are_named(self, icws):
        icws("compare", GOOD, BAD)
        assert f"GOOD             {GOOD}: live, 17 frames" in icws.out

    def test_every_line_fits(self, icws):
        icws("compare", GOOD, SESSIONS / "markup.icws")
        assert max(map(len, icws.out.splitlines())) <= 120

    def test_json(self, icws):
        assert icws("compare", GOOD, BAD, "--json").code == 1
        told = json.loads(icws.out)
        assert (told["same"], told["first"]["frames"]) == (False, [8])
        assert told["good"] == str(GOOD)

    def test_only_frames_around_differences_unless_all_are_asked_for(self, icws, tmp_path):
        lines = GOOD.read_text().splitlines()
        many = [lines[0], *lines[1:4], *(lines[5] for _ in range(300))]
        one, other = tmp_path / "one.icws", tmp_path / "other.icws"
        one.write_text("\n".join(many) + "\n")
        other.write_text("\n".join([*many[:200], lines[6], *many[200:]]) + "\n")
        assert "not shown" in icws("compare", one, other).out
        few = len(icws.out.splitlines())
        assert "not shown" not in icws("compare", one, other, "--all").out
        assert few < 150 < len(icws.out.splitlines())


class TestSessions:
    def test_a_name_that_is_not_there(self, icws):
        both = SESSIONS / "healthy.icws"
        assert icws("compare", both, both, "--session", "7").code == 0  # a recording of one session is that session

    def test_at_most_two(self, icws):
        line = icws.fails(2, "compare", GOOD, BAD, "--session", "1", "--session", "2", "--session", "3")
        assert "at most twice" in line


class TestWrong:
    def test_a_file_that_is_not_there(self, icws):
        assert "cannot read" in icws.fails(3, "compare", GOOD, "missing.icws")

    def test_a_recording_without_a_session(self, icws, tmp_path):
        path = tmp_path / "empty.icws"
        path.write_text(GOOD.read_text().splitlines()[0] + "\n")
        assert "nothing to examine" in icws.fails(3, "compare", GOOD, path)
