"""`icws.inspect`: a frame by its number, of whatever holds a capture."""

import pytest

import icws_explore as icws
from icws_explore.capture import load


class TestInspect:
    def test_takes_recordings_and_captures(self, recorded):
        assert icws.inspect(icws.load(recorded), 1).html == icws.inspect(load(recorded), 1).html

    def test_counts_from_the_end_too(self, recorded):
        recording = icws.load(recorded)
        assert icws.inspect(recording, -2).text == icws.inspect(recording, len(recording) - 2).text

    @pytest.mark.parametrize("number", [1000, -1000])
    def test_says_what_there_is(self, recorded, number):
        with pytest.raises(IndexError, match=f"there is no frame {number}"):
            icws.inspect(icws.load(recorded), number)
