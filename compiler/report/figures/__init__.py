"""Figures of the report: drawn by matplotlib, made into inline SVG that follows the page."""

from compiler.report.figures.palette import Colour
from compiler.report.figures.svg import picture

__all__ = ["Colour", "picture"]
