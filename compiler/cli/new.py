"""`pplc new`: writes a small spec to start from."""

from __future__ import annotations

import re
from pathlib import Path

import click

from compiler.cli.files import replace
from compiler.cli.guard import OK, Guarded
from compiler.cli.report import failure
from compiler.tables.reserved import is_taken

_STARTER = """\
# Regression with groups: replace the names by yours, then `pplc check {path}`.
data {{
  dim obs, group
  x[obs] : real
  g[obs] : index(group)  # strings, or whole numbers from 0
  y[obs] : real
}}

model {name} {{
  mu ~ Normal(0, 5)
  tau ~ HalfNormal(1)
  slope ~ Normal(0, 1)
  sigma ~ HalfNormal(1)
  plate group {{
    level ~ Normal(mu, tau) reparam noncentered
  }}
  plate obs {{
    y ~ Normal(level[g] + slope * x, sigma)
  }}
}}

predict {{
  plate obs {{
    y_rep ~ Normal(level[g] + slope * x, sigma)
  }}
}}

guide {{
  part all = AutoMultivariateNormal(*)  # every latent not named elsewhere
}}

fit {{
  steps = 5000
}}
"""


@click.command(
    "new",
    cls=Guarded,
    short_help="Write a spec to start from.",
    examples=("pplc new model.ppl",),
)
@click.argument("path", metavar="FILE")
def command(path: str) -> int:
    """Write a small hierarchical regression to FILE, to be made into your own model.

    A file that is there already is never overwritten.
    """
    if Path(path).exists():
        raise failure("PPL098", path, "the file exists already", "give a new name")
    name = re.sub("[^a-z0-9]+", "_", Path(path).stem.lower())
    if not name[:1].isalpha() or is_taken(name):
        name = f"model_{name}".rstrip("_")
    replace(path, _STARTER.format(path=path, name=name).encode())
    click.echo(f"wrote {path}; next: pplc check {path}")
    return OK
