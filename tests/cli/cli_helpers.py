"""Runs pplc inside the test process."""

from pathlib import Path

from click.testing import CliRunner, Result

from compiler.cli.group import pplc

GOOD = """\
data {
  dim obs
  x[obs] : real
  y[obs] : real
}
model line {
  slope ~ Normal(0, 1)
  sigma ~ HalfNormal(1)
  plate obs {
    y ~ Normal(slope * x, sigma)
  }
}
guide {
  part all = AutoNormal(*)
}
"""
BAD = GOOD.replace("slope * x", "slop * x")
WARNED = GOOD.replace("slope * x", "slope")


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    """Run `pplc` with some arguments."""
    return CliRunner().invoke(pplc, list(arguments), input=stdin, prog_name="pplc")


def write(path: Path, text: str) -> str:
    """Write a spec and return its path as an argument."""
    path.write_text(text, encoding="utf-8")
    return str(path)
