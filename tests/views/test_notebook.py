from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from icws_explore.analysis.recording import Recording
from icws_explore.views import notebook
from support.markup import Markup
from support.session_captures import healthy, hostile


@pytest.fixture
def shell() -> Iterator[Any]:
    from IPython.core.interactiveshell import InteractiveShell

    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def shown(shell: Any, subject: object) -> dict[str, Any]:
    bundle, _ = shell.display_formatter.format(subject)
    return bundle


class TestInstall:
    def test_does_nothing_outside_ipython(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "IPython", raising=False)
        assert not notebook.install()
        assert "IPython" not in sys.modules

    def test_may_be_called_again(self, shell: Any) -> None:
        assert notebook.install()
        assert notebook.install()
        assert "text/html" in shown(shell, healthy())


class TestShown:
    @pytest.fixture(autouse=True)
    def _installed(self, shell: Any) -> None:
        notebook.install()

    @pytest.mark.parametrize("wrap", [lambda c: c, Recording])
    def test_a_capture_is_its_frame_list(self, shell: Any, wrap: Any) -> None:
        bundle = shown(shell, wrap(healthy()))
        assert Markup(bundle["text/html"]).count("icws-sum") == 29
        assert bundle["text/plain"].splitlines()[-1].endswith("closed by the client: 1000")

    def test_a_frame_is_its_fields(self, shell: Any) -> None:
        bundle = shown(shell, Recording(healthy())[4])
        assert "sequence_num" in Markup(bundle["text/html"]).text
        assert bundle["text/plain"].startswith("frame 4 ■ app")

    def test_a_verdict_is_its_walk(self, shell: Any) -> None:
        verdicts = Recording(hostile()).verify()
        assert "certified_data" in shown(shell, verdicts[0])["text/plain"]
        assert "✗ frame 8" in Markup(shown(shell, verdicts)["text/html"]).text

    def test_a_summary_is_its_facts(self, shell: Any) -> None:
        bundle = shown(shell, Recording(healthy()).summary())
        assert "all 13 canister messages verify" in Markup(bundle["text/html"]).text

    def test_a_session_is_its_state_and_its_frames(self) -> None:
        class Ended:
            state, close_code, close_reason = "closed", 4000, "Ack message timeout"
            capture = Recording(healthy())

        view = notebook.draw_session(Ended())  # type: ignore[arg-type]
        assert view.text.startswith("session  closed, closed 4000 Ack message timeout")
