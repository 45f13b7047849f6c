"""What a person sees of a diagnostic in the terminal."""

import io

import pytest
from diagnostic_spans import span_of

from compiler.diagnostics import Diagnostics
from compiler.diagnostics.paint import cells, colourful, paint_for, plain, printable
from compiler.diagnostics.render import count_line, render
from grammar.span import Span

SPEC = """\
data {
  y[obs] : real
}
model {
  mu ~ Normal(0, sgima)
}
"""


def one(text: str, piece: str, **more: object) -> str:
    diagnostics = Diagnostics("a.ppl", text)
    diagnostics.report("PPL010", span_of(text, piece), "wrong", **more)  # type: ignore[arg-type]
    return render(diagnostics)


def test_a_diagnostic_shows_place_line_underline_and_remedy() -> None:
    diagnostics = Diagnostics("a.ppl", SPEC)
    diagnostics.report("PPL010", span_of(SPEC, "sgima"), "`sgima` is nothing", "write `sigma`")
    assert render(diagnostics) == (
        "a.ppl:5:18: error PPL010: `sgima` is nothing\n"
        "  |\n"
        "5 |   mu ~ Normal(0, sgima)\n"
        "  |                  ^^^^^\n"
        "help: write `sigma`\n"
        "\n"
    )


def test_notes_show_their_own_place() -> None:
    text = "mu ~ A()\nmu ~ B()\n"
    diagnostics = Diagnostics("a.ppl", text)
    diagnostics.report(
        "PPL011", span_of(text, "mu", 1), "`mu` again", notes=[("first here", span_of(text, "mu"))]
    )
    assert render(diagnostics) == (
        "a.ppl:2:1: error PPL011: `mu` again\n"
        "  |\n"
        "2 | mu ~ B()\n"
        "  | ^^\n"
        "note: first here (a.ppl:1:1)\n"
        "  |\n"
        "1 | mu ~ A()\n"
        "  | --\n"
        "\n"
    )


def test_a_span_over_several_lines_shows_the_first_and_the_last() -> None:
    text = "plate obs {\n  a\n  b\n}\n"
    assert one(text, "plate obs {\n  a\n  b\n}").splitlines()[1:] == [
        "  |",
        "1 | plate obs {",
        "  | ^^^^^^^^^^^",
        "...",
        "4 | }",
        "  | ^",
        "",
    ]


def test_a_span_over_two_lines_has_no_gap() -> None:
    assert one("f(a,\n  b)", "a,\n  b").splitlines()[1:] == [
        "  |",
        "1 | f(a,",
        "  |   ^^",
        "2 |   b)",
        "  |   ^",
        "",
    ]


def test_gutter_is_as_wide_as_the_last_number() -> None:
    text = "\n" * 8 + "a(\nb)"
    assert one(text, "a(\nb)").splitlines()[1:] == [
        "   |",
        " 9 | a(",
        "   | ^^",
        "10 | b)",
        "   | ^^",
        "",
    ]


@pytest.mark.parametrize(
    ("line", "piece", "shown", "underline"),
    [
        ("\tx = y", "y", "    x = y", "        ^"),
        ("a\tx = y", "x", "a   x = y", "    ^"),
        ("# 数据 y", "y", "# 数据 y", "       ^"),
        ("# 数据 y", "数据", "# 数据 y", "  ^^^^"),
        ("# e\u0301 y", "y", "# e\u0301 y", "    ^"),
        ("# 🎲 y", "y", "# 🎲 y", "     ^"),
        ("x \x1b[31m y", "y", "x \ufffd[31m y", "        ^"),
        ("x \u202e y", "y", "x \ufffd y", "    ^"),
    ],
)
def test_underline_stands_under_tabs_wide_and_invisible_characters(
    line: str, piece: str, shown: str, underline: str
) -> None:
    assert one(line, piece).splitlines()[2:4] == [f"1 | {shown}", f"  | {underline}"]


def test_an_empty_span_at_the_end_is_one_caret() -> None:
    text = "model {"
    diagnostics = Diagnostics("a.ppl", text)
    diagnostics.report("PPL001", Span(7, 7, 1, 8, 1, 8), "no `}`")
    assert render(diagnostics).splitlines()[2:4] == ["1 | model {", "  |        ^"]


def test_a_span_at_the_line_end_is_one_caret() -> None:
    assert one("a\nb", "\n").splitlines()[2] == "1 | a"


def test_windows_line_ends_are_not_shown() -> None:
    assert one("a = b\r\nc = d\r\n", "d").splitlines()[2:4] == ["2 | c = d", "  |     ^"]


def test_a_very_long_line_is_cut_around_the_span() -> None:
    text = "x = [" + "1, " * 3000 + "oops, " + "2, " * 3000 + "3]"
    code, underline = one(text, "oops").splitlines()[2:4]
    assert len(code) < 180
    assert code.index("oops") == underline.index("^^^^")
    assert code.startswith("1 | …")
    assert code.endswith("…")


def test_a_long_span_on_a_long_line_ends_at_the_cut() -> None:
    code, underline = one("x" * 5000, "x" * 5000).splitlines()[2:4]
    assert len(underline) == len(code) - 1


def test_a_span_of_another_text_gets_no_excerpt() -> None:
    diagnostics = Diagnostics("a.json", '{"name": "m"}')
    diagnostics.report("PPL010", Span(40, 42, 5, 3, 5, 5), "wrong")
    diagnostics.report("PPL011", Span(4, 6, 2, 1, 2, 3), "wrong, too")
    assert render(diagnostics) == (
        "a.json:2:1: error PPL011: wrong, too\n\na.json:5:3: error PPL010: wrong\n\n"
    )


def test_without_a_place_the_file_is_named() -> None:
    diagnostics = Diagnostics("data.csv", "")
    diagnostics.report("PPL090", None, "there is no file data.csv")
    assert render(diagnostics) == "data.csv: error PPL090: there is no file data.csv\n\n"


def test_messages_cannot_send_escape_codes() -> None:
    diagnostics = Diagnostics("a\x1b[2J.csv", "")
    diagnostics.report("PPL092", None, "value '\x1b]0;x\x07'", "say\nso")
    text = render(diagnostics)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "help: say\n      so" in text


def test_colours_are_around_the_same_text() -> None:
    diagnostics = Diagnostics("a.ppl", SPEC)
    diagnostics.report("PPL010", span_of(SPEC, "sgima"), "wrong", "write `sigma`")
    coloured = render(diagnostics, colourful)
    assert "\x1b[1;31merror PPL010\x1b[0m" in coloured
    bare = coloured
    for code in ("\x1b[1;31m", "\x1b[1;32m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"):
        bare = bare.replace(code, "")
    assert bare == render(diagnostics)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert paint_for(_Terminal()) is colourful
    assert paint_for(io.StringIO()) is plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint_for(_Terminal()) is plain


@pytest.mark.parametrize(
    ("errors", "warnings", "strict", "line"),
    [
        (0, 0, False, "no errors"),
        (1, 0, False, "1 error"),
        (2, 1, False, "2 errors, 1 warning"),
        (0, 2, True, "2 warnings (with --strict, warnings count as errors)"),
    ],
)
def test_count_line(errors: int, warnings: int, strict: bool, line: str) -> None:
    diagnostics = Diagnostics("a.ppl", "")
    for number in range(errors):
        diagnostics.report("PPL010", None, f"error {number}")
    for number in range(warnings):
        diagnostics.report("PPL013", None, f"warning {number}")
    assert count_line([diagnostics], strict) == line


def test_printable_and_cells() -> None:
    assert printable("ab\u2028c") == "ab\ufffdc"
    assert cells("数a") == 3
