"""From a drawing function to a `Picture`: small, without ids of its own, in the page's colours."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Collection
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from compiler.report.blocks import Picture
from compiler.report.figures.palette import Colour

_DOTS_PER_INCH = 72  # SVG of matplotlib counts points; with this, one is a CSS pixel

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text, in the page's font
    "text.parse_math": False,  # a label may hold any characters
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": Colour.FAINT.value,
    "axes.labelcolor": Colour.INK.value,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.titlecolor": Colour.INK.value,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.formatter.limits": (-4, 5),
    "axes.formatter.useoffset": False,
    "figure.facecolor": "none",
    "xtick.color": Colour.FAINT.value,
    "ytick.color": Colour.FAINT.value,
    "xtick.labelcolor": Colour.INK.value,
    "ytick.labelcolor": Colour.INK.value,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": Colour.INK.value,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "path.simplify_threshold": 0.3,
}

_PROLOGUE = re.compile(r"\A.*?<svg[^>]*>|<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL)
_FONT = re.compile(r"font-family:[^;\"]*;? ?|stroke-linejoin: \w+;? ?")
_TAG = re.compile(r"<[^>]*>")
_STILL = re.compile(r' transform="rotate\(0 [^)]*\)"')
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_ID = re.compile(r' id="([^"]*)"')
_STAND_IN = re.compile("|".join(colour.value for colour in Colour))
_BACKGROUND = re.compile(r'<path d="[^"]*" style="fill: none"/>')
_EMPTY = re.compile(r"<(?:g|defs)>\s*</(?:g|defs)>")


def picture(
    draw: Callable[[Figure], None],
    width: int,
    height: int,
    *,
    key: str,
    alt: str,
    caption: str = "",
) -> Picture:
    """Draw a picture.

    Args:
        draw: Draws on an empty figure.
        width: Its natural width in CSS pixels.
        height: Its natural height.
        key: Unlike that of any other picture of the page: ids inside the SVG come from it.
        alt: What it shows, for those who do not see it.
        caption: The words below it.

    Returns:
        The picture; the same for the same draws.
    """
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": key}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that its own font does not have
        figure = Figure(figsize=(width / _DOTS_PER_INCH, height / _DOTS_PER_INCH))
        draw(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    return Picture(_inline(written.getvalue(), width, height, alt), width, caption)


def svg_element(body: Markup, width: float, height: float, alt: str) -> Markup:
    """Return an `svg` element for use inside of HTML.

    Args:
        body: What is in it.
        width: Width of its coordinates, and its natural width in CSS pixels.
        height: The same for its height.
        alt: What it shows, for those who do not see it.
    """
    return Markup(
        '<svg viewBox="0 0 {w:g} {h:g}" width="{w:g}" height="{h:g}" role="img" '
        'aria-label="{alt}">{body}</svg>'
    ).format(w=width, h=height, alt=alt, body=body)


def _inline(text: str, width: int, height: int, alt: str) -> Markup:
    """Strip what matplotlib's file has beyond the drawing; it has escaped all labels itself."""
    body = _PROLOGUE.sub("", text).rpartition("</svg>")[0]
    body = re.sub(r"\s*\n\s*", " ", body).replace("> <", "><")
    used = set(re.findall(r"#(\w+)", body))
    body = _TAG.sub(lambda tag: _shorter(tag[0], used), body)
    body = _BACKGROUND.sub("", body)
    while (shorter := _EMPTY.sub("", body)) != body:
        body = shorter
    return svg_element(Markup(body), width, height, alt)


def _shorter(tag: str, used: Collection[str]) -> str:
    """Return a tag without ids that nothing refers to, fonts, and digits that nobody sees."""
    tag = tag.replace("xlink:href", "href").replace("rotate(-0 ", "rotate(0 ")
    tag = _ID.sub(lambda match: match[0] if match[1] in used else "", tag)
    tag = _STILL.sub("", tag)
    tag = _NUMBER.sub(lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), tag)
    tag = _FONT.sub("", tag)
    return _STAND_IN.sub(lambda match: Colour(match[0]).variable, tag)
