"""What a section of the report is made of; `templates/page.html` tells how each is shown.

All text is plain and is escaped by the template; only `Markup` is taken as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; `quiet` for a remark beside what is shown."""

    kind: ClassVar = "paragraph"
    text: str
    quiet: bool = False


@dataclass(frozen=True)
class Banner:
    """The verdict: `level` is one of `good`, `fair`, `bad` and `unknown`, and picks the colour."""

    kind: ClassVar = "banner"
    level: str
    word: str
    text: str


@dataclass(frozen=True)
class Listing:
    """Sentences, one under the other."""

    kind: ClassVar = "listing"
    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table that scrolls sideways in its own box; the first cell of a row is its label.

    A row of a single cell stands for rows that are left out, and goes over the whole width.
    """

    kind: ClassVar = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    name: str
    numeric: bool = True


@dataclass(frozen=True)
class Picture:
    """An SVG image, of `width` CSS pixels by nature, with what it shows in words."""

    kind: ClassVar = "picture"
    svg: Markup
    width: int
    caption: str = ""


@dataclass(frozen=True)
class Gallery:
    """Pictures beside each other, as many in a row as there is room for.

    `room` picks the least width of each: `small`, `wide` or `whole`.
    """

    kind: ClassVar = "gallery"
    pictures: Sequence[Picture]
    room: str = "small"


@dataclass(frozen=True)
class Code:
    """Highlighted source code, which scrolls sideways in its own box."""

    kind: ClassVar = "code"
    html: Markup
    name: str


@dataclass(frozen=True)
class Folded:
    """Blocks that are shown when asked for; on paper, always."""

    kind: ClassVar = "folded"
    title: str
    blocks: Sequence[Block]


Block = Paragraph | Banner | Listing | Table | Picture | Gallery | Code | Folded
