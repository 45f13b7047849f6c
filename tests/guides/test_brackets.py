import random
import subprocess
import sys

from compiler.emit.brackets import Call, DictOf, ListOf, Source, call, lay_out, on_one_line


def formatted(text: str) -> str:
    """What ruff makes of `text`."""
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def random_source(rng: random.Random, depth: int) -> Source:
    name = "n" * rng.randint(1, 30)
    if depth == 0 or rng.random() < 0.2:
        return name
    inner = [random_source(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    kind = rng.choice(["call", "call", "list", "dict"])
    if kind == "list":
        return ListOf(tuple(inner))
    if kind == "dict":
        return DictOf(tuple((f"key{i}" * rng.randint(1, 4), one) for i, one in enumerate(inner)))
    first_named = rng.randint(0, len(inner))
    arguments = tuple(
        (f"argument{i}" if i >= first_named else None, one) for i, one in enumerate(inner)
    )
    return Call(name, arguments)


def test_what_fits_stays_on_one_line() -> None:
    source = call("f", "x", y=ListOf(("1", "2")), z=DictOf((("a", "b"),)))
    assert lay_out(source, indent=4, before="value = ") == [
        '    value = f(x, y=[1, 2], z={"a": b})',
    ]


def test_arguments_share_a_line_where_they_fit() -> None:
    source = call("guide.append", call("f", "a" * 40, "b" * 40))
    assert lay_out(source, indent=4) == [
        "    guide.append(",
        f"        f({'a' * 40}, {'b' * 40})",
        "    )",
    ]


def test_layout_is_what_ruff_format_gives() -> None:
    rng = random.Random(1)
    sources = [random_source(rng, 4) for _ in range(400)]
    lines = [line for source in sources for line in lay_out(source, before="value = ")]
    text = "\n".join(lines) + "\n"
    assert formatted(text) == text
    plain = "\n".join(f"value = {on_one_line(source)}" for source in sources) + "\n"
    assert formatted(plain) == text
