"""Reading a view's HTML as a browser would: which elements it has, and what text a reader sees."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link", "input", "hr"}
UNSEEN = {"style", "title"}


class Markup(HTMLParser):
    """``elements`` are (name, attributes) in order; ``text`` is what is not in a style."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self._parts: list[str] = []
        self._twin: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], f"not closed: {self._open}"

    @property
    def tags(self) -> set[str]:
        return {name for name, _ in self.elements}

    @property
    def text(self) -> str:
        """What a reader sees with the style, runs of white space as one space."""
        return " ".join(" ".join(self._parts).split())

    @property
    def twin(self) -> str:
        """The text that shows where the style is stripped."""
        return "".join(self._twin)

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, attributes in self.elements for key, value in attributes.items() if key == name]

    @property
    def handlers(self) -> list[str]:
        return [key for _, attributes in self.elements for key in attributes if key.startswith("on")]

    def count(self, css_class: str) -> int:
        return sum(css_class in value.split() for value in self.attributes("class"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "pre" in self._open:
            self._twin.append(data)
        elif not UNSEEN & set(self._open):
            self._parts.append(data)
