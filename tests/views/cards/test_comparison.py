"""A comparison as a picture: both recordings in columns, escaped, text and HTML alike."""

import icws_explore as icws
from icws_explore.views.cards.comparison import comparison_view
from support.data_files import SESSIONS

GOOD = icws.load(SESSIONS / "healthy.icws")


def view(name, **options):
    return comparison_view(GOOD.compare(icws.load(SESSIONS / f"{name}.icws"), names=("good", "bad")), **options)


class TestView:
    def test_marks_the_first_difference_once(self):
        made = view("lost_message")
        assert made.html.count('<tr class="icws-first">') == 1
        assert made.text.count("▶") == 1
        assert "no counterpart" in made.html

    def test_says_the_same_in_text_and_html(self):
        made = view("stale_certificate")
        for words in ("the step time fails in bad and not in good", "4 differences: messages 1, timing 1"):
            assert words in " ".join(made.html.split())
            assert words in " ".join(made.text.split())

    def test_escapes_what_a_peer_sent(self):
        made = view("markup")
        assert "<script>" not in made.html
        assert "<img" not in made.html

    def test_two_that_are_the_same_are_one_green_line(self):
        made = view("healthy")
        assert "✓ the same: 17 events" in made.html
        assert "<table" not in made.html

    def test_leaves_out_what_is_far_from_a_difference(self):
        made = view("lost_message", limit=8)
        assert "not shown" in made.html
        assert "not shown" in made.text

    def test_names_differences_without_a_row_below_the_rows(self):
        made = view("motoko_flavour")
        assert "CDK: Rust in good, Motoko in bad" in made.html
        assert "canister's CDK: Rust in good, Motoko in bad" in made.text

    def test_is_how_a_comparison_draws_itself(self):
        from icws_explore.views import display

        found = GOOD.compare(GOOD)
        assert display.draw_comparison(found).html == comparison_view(found).html
        assert ("icws_explore.analysis.compare.comparison", "Comparison", "draw_comparison") in display._DRAWN
