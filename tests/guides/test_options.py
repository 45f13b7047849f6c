import pytest

from compiler.ir.guides import OptionValue
from compiler.tables.options import Option


@pytest.mark.parametrize(
    ("option", "value", "kept"),
    [
        (Option("o", "int", 1, "", least=1), 3, 3),
        (Option("o", "int", 1, "", least=1), 0, None),
        (Option("o", "int", 1, "", least=1), 2.0, None),
        (Option("o", "int", 1, ""), True, None),
        (Option("o", "real", 0.1, "", least=0, strict=True), 1, 1.0),
        (Option("o", "real", 0.1, "", least=0, strict=True), 0, None),
        (Option("o", "real", 0.1, ""), "0.1", None),
        (Option("o", "bool", True, ""), False, False),
        (Option("o", "bool", True, ""), 1, None),
        (Option("o", "choice", "a", "", choices=("a", "b")), "b", "b"),
        (Option("o", "choice", "a", "", choices=("a", "b")), "c", None),
        (Option("o", "ints", None, "", least=1), 8, (8,)),
        (Option("o", "ints", None, "", least=1), (8, 4), (8, 4)),
        (Option("o", "ints", None, "", least=1), (8, 0), None),
        (Option("o", "ints", None, "", least=1), (), None),
        (Option("o", "reals", None, "", length=2), (0.9, 0.99), (0.9, 0.99)),
        (Option("o", "reals", None, "", length=2), (0.9,), None),
        (Option("o", "reals", None, "", length=2), 0.9, None),
    ],
)
def test_accept(option: Option, value: object, kept: OptionValue | None) -> None:
    accepted = option.accept(value)
    assert accepted == kept
    assert type(accepted) is type(kept)


def test_what_an_option_takes_is_told_in_words() -> None:
    assert Option("o", "int", 1, "", least=1).takes == "a whole number of at least 1"
    assert Option("o", "real", 1.0, "", least=0, strict=True).takes == "a number above 0"
    assert Option("o", "real", 1.0, "", 0, 1).takes == "a number from 0 to 1"
    assert Option("o", "choice", "a", "", choices=("a", "b")).takes == "one of `a`, `b`"
    assert Option("o", "bool", True, "").takes == "`true` or `false`"
