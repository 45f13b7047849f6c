"""Specs for the tests of guides, compiled to programs or to the codes of their diagnostics."""

from __future__ import annotations

from compiler.ir import Program
from compiler.pipeline import Compilation, compile_text

LINEAR = """
data {
  dim obs
  y[obs] : real
}
model {
  mu    ~ Normal(0, 5)
  sigma ~ HalfNormal(1)
  plate obs { y ~ Normal(mu, sigma) }
}
"""

SCHOOLS = """
data {
  dim school
  y[school]     : real
  sigma[school] : real > 0
}
model {
  mu  ~ Normal(0, 5)
  tau ~ HalfCauchy(5)
  plate school {
    theta ~ Normal(mu, tau) reparam noncentered
    y     ~ Normal(theta, sigma)
  }
}
"""

LOCAL = """
data {
  dim obs
  y[obs] : real
}
model {
  mu ~ Normal(0, 5)
  plate obs minibatch 4 {
    theta ~ Normal(mu, 1)
    y     ~ Normal(theta, 1)
  }
}
"""

MIXTURE = """
data {
  dim obs
  dim k = 3
  y[obs] : real
}
model {
  w[k]            ~ Dirichlet(fill(2, k))
  mu[k] : ordered ~ Normal(0, 10)
  plate obs {
    z ~ Categorical(w)
    y ~ Normal(mu[z], 1)
  }
}
"""

CROSSED = """
data {
  dim row, col
  dim k = 2
  y[row, col] : real
}
model {
  plate row { a ~ Normal(0, 1) }
  plate col { b[k] ~ Normal(0, 1) }
  plate row, col {
    c ~ Normal(0, 1)
    y ~ Normal(a + b[0] + c, 1)
  }
}
"""


def compiled(*texts: str) -> Compilation:
    """Compile the texts, one after the other, as one spec."""
    return compile_text("\n".join(texts), "spec.ppl")


def program(*texts: str) -> Program:
    """The program of a spec that is right."""
    compilation = compiled(*texts)
    assert compilation.program is not None, [*compilation.diagnostics]
    return compilation.program


def told(*texts: str) -> list[tuple[str, str, str | None]]:
    """Code, message and remedy of every error of a spec."""
    return [(d.code, d.message, d.remedy) for d in compiled(*texts).diagnostics.errors]


def guide(*statements: str, name: str = "") -> str:
    """A guide block."""
    return "\n".join([f"guide {name} {{", *statements, "}"])
