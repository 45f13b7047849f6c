"""The report of a fit: one HTML page to read on a phone or to hand on.

`content` is what it is made from, `sections` turn that into `blocks`, and `page` fills the
template with them. A new section is a file in `sections` and a line in its table.
"""

from compiler.report.content import Content, content_of
from compiler.report.opening import content_in
from compiler.report.page import report_page

__all__ = ["Content", "content_in", "content_of", "report_page"]
