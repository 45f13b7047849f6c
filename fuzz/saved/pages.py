"""What an HTML page must not hold: anything that does something where it is opened."""

from __future__ import annotations

from html.parser import HTMLParser

_ACTIVE = frozenset(
    ("script", "img", "iframe", "object", "embed", "link", "base", "form", "audio", "video")
)
_ADDRESSES = frozenset(("href", "src", "xlink:href", "action"))


def active_content(page: str) -> list[str]:
    """Return the tags and attributes of a page that load or run something."""
    parser = _Parser()
    parser.feed(page)
    parser.close()
    return parser.found


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ACTIVE:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            outside = name in _ADDRESSES and not (value or "").startswith("#")
            if name.startswith("on") or outside:
                self.found.append(f"{name}={value!r}"[:60])
