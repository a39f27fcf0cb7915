"""Lines for a person: all of them where they are few, the first and a count where they are many."""

from icws_explore.capture.files import MAX_ALIKE, MAX_TEXT, Notes, shown


class TestNotes:
    def test_few_are_all_there_in_their_order(self):
        notes = Notes()
        notes.append("one")
        notes.some("messages left out", "two")
        notes.append("three")
        assert notes.counted() == ["one", "two", "three"]

    def test_many_of_a_kind_are_counted(self):
        notes = Notes()
        for number in range(1000):
            notes.some("messages left out", f"message {number}")
        notes.some("errors", "an error")
        notes.append("torn")
        lines = notes.counted()
        assert lines[:MAX_ALIKE] == [f"message {number}" for number in range(MAX_ALIKE)]
        assert lines[MAX_ALIKE:] == ["an error", "torn", f"{1000 - MAX_ALIKE} more messages left out"]


class TestShown:
    def test_is_one_line(self):
        assert shown(" a\n\tb ") == "a b"
        assert len(shown("x" * 10_000)) == MAX_TEXT
