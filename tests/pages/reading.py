"""What a page says, to whom, and whether every text of it can be translated."""

from html.parser import HTMLParser

# Attributes that are shown or read out though they are no text of their own.
SHOWN = {"aria-label", "data-copied", "data-done", "data-failed", "placeholder", "title", "alt"}
VOID = {"meta", "link", "input", "br", "img", "hr", "path", "rect", "line", "circle", "polyline"}
SILENT = {"script", "style"}


class Page(HTMLParser):
    """`texts`: all that a person can read, but for data, which stands in `translate="no"`.

    `data`: the texts that do. `links`: every address that a browser would follow or load.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.data: list[str] = []
        self.links: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self.feed(page)

    @property
    def _is_data(self) -> bool:
        return any(data for _, data in self._open)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in VOID:
            self._open.append((tag, found.get("translate") == "no"))
        self.links += [found[name] or "" for name in ("href", "src", "action") if name in found]
        if found.get("translate") != "no":
            self._note([value or "" for name, value in attrs if name in SHOWN])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1][0] not in SILENT:
            self._note([data])

    def _note(self, texts: list[str]) -> None:
        kept = [text.strip() for text in texts if text.strip()]
        (self.data if self._is_data else self.texts).extend(kept)


def untranslated(page: str) -> list[str]:
    """Texts outside gettext, in the language of the fixture `foreign`."""
    joints = {"· Souk", "·", "/", "–", "—"}
    texts = [text for text in Page(page).texts if text not in joints]
    return [text for text in texts if not text.startswith("«")]


def said(page: str) -> str:
    return " ".join(Page(page).texts + Page(page).data)
