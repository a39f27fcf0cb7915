"""How a divergence reads."""

from icws_explore.analysis.replay.divergence import Divergence


def test_is_one_sentence():
    found = Divergence("client", 7, "close", "body", "closes with 4000 'x'", "went on (frame 9)")
    assert str(found) == "frame 7: the real client closes with 4000 'x', the recorded one went on (frame 9)"
