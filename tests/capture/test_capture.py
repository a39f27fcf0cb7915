"""Captures of one and of several sessions."""

from icws_explore.capture import Capture, Frame


def frame(t, session=None):
    return Frame(t, "in", "binary", b"x", session=session)


class TestSessions:
    def test_sessions_come_in_the_order_of_their_first_frames(self):
        capture = Capture(frames=[frame(1, "b"), frame(2, "a"), frame(3, "b")])
        assert capture.session_ids == ["b", "a"]
        assert [f.t for f in capture.session("b")] == [1, 3]

    def test_an_empty_capture_is_one_nameless_session(self):
        assert Capture().session_ids == [None]
        assert Capture().duration_s == 0


class TestDuration:
    def test_does_not_rely_on_the_order(self):
        assert Capture(frames=[frame(5), frame(2.5), frame(3)]).duration_s == 2.5


class TestHttp:
    def test_belongs_to_no_session(self):
        asked = Frame(1.0, "out", "request", b"q", reason="POST /x", session="http-1")
        said = Frame(2.0, "in", "binary", b"x", session="1")
        capture = Capture(frames=[asked, said])
        assert capture.session_ids == ["1"]
        assert capture.session("1").frames == [said]
        assert capture.session("http-1").frames == []
        assert capture.http == [asked]
