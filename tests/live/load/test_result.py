"""What became of a load: results of parts add up, and texts of peers do not fill memory."""

from icws_explore.live.load.result import FINISHED, MOST_REASONS, OTHERS, REASON, LoadResult


def result_of(**numbers):
    result = LoadResult(**numbers)
    result.round_trip_s.extend([0.1, 0.2])
    result.end(FINISHED)
    return result


class TestMerging:
    def test_adds_up(self):
        result = result_of(opened=2, sent=5, answered=4)
        result.merge(result_of(opened=1, sent=1, answered=1))
        assert (result.opened, result.sent, result.answered, len(result.round_trip_s)) == (3, 6, 5, 4)
        assert result.ended == {FINISHED: 2}

    def test_json_is_in_milliseconds(self):
        told = result_of().to_json()
        assert (told["round_trip_max_ms"], told["lag_p50_ms"]) == (200, None)


class TestReasons:
    def test_are_cut_and_counted_in_bounds(self):
        result = LoadResult()
        for number in range(MOST_REASONS + 10):
            result.failure(f"{number} " + "x" * 10_000)
        assert len(result.failed) == MOST_REASONS + 1
        assert result.failed[OTHERS] == 10
        assert max(map(len, result.failed)) == REASON

    def test_decide_whether_all_is_well(self):
        assert not result_of().is_bad
        bad = result_of()
        bad.end("the connection was lost (1006)")
        assert bad.is_bad
        failed = LoadResult()
        failed.failure("nobody listens")
        assert failed.is_bad
