from __future__ import annotations

from icws_explore.lab import Lab
from icws_explore.lab.lab import facts


class TestShown:
    def test_text_and_html_tell_the_same(self) -> None:
        lab = Lab(app="<b>app</b>", time_scale=60)
        shown = lab._repr_html_()
        assert "<b>app" not in shown
        assert "&lt;b&gt;app&lt;/b&gt;" in shown
        for name, value in facts(lab):
            assert f"{name}={value}" in repr(lab)
            assert name in shown
        assert "clock=× 60" in repr(lab)

    def test_a_running_one_says_where_it_is(self) -> None:
        with Lab(app="echo") as lab:
            for text in (repr(lab), lab._repr_html_()):
                assert lab.gateway_url in text
                assert lab.network_url in text
                assert str(lab.canister_id) in text
