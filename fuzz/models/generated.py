"""Random models of Pyro with guides, as the text of a Python module."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

_HEAD = """\
import pyro
import pyro.distributions as dist
import torch
from pyro import poutine

import autoguide_core as guides

torch.manual_seed(0)
x, y = torch.randn({rows}, 3), torch.randn({rows})
mask = torch.arange({rows}) % 3 > 0


def model():
"""

_LATENTS = {
    "a": "dist.Normal(0.0, 1.0)",
    "s": "dist.LogNormal(0.0, 0.5)",
    "p": "dist.Beta(2.0, 3.0)",
    "w": "dist.Normal(torch.zeros(3), 1.0).to_event(1)",
    "q": "dist.Dirichlet(torch.ones(3))",
    "u": "dist.Uniform(-1.0, 2.0)",
    "c": "dist.LKJCholesky(3, 2.0)",
}

_TERMS = {
    "a": (
        "a",
        "torch.tanh(a)",
        "torch.where(a > 0, a, 2 * a)",
        "a ** 2",
        "(a if a > 0 else 3 * a)",
    ),
    "s": ("s.log()", "1 / (1 + s)"),
    "p": ("p", "torch.logit(p)"),
    "w": (
        "w.sum()",
        "w[..., 0]",
        "(w * w).mean(-1)",
        "w.sum(-1)",
        "w.cumsum(-1)[..., -1]",
        "w[w.argmax()]",
    ),
    "q": ("q[..., 0]", "q.log().sum(-1)"),
    "u": ("u", "u.abs()", "u.clamp(-0.5, 1.0)", "torch.tensor(u.tolist()) + u"),
    "c": ("c[..., 2, 0]", "(c @ c.mT)[..., 0, 1]"),
}
"""Numbers made of each latent: some reduce over their own axes, some leave torch, some branch."""

_ROWS = ("x[i] @ w", "(x[i] * w.unsqueeze(-2)).sum(-1)", "x[i, 0] * w[..., 1:2]")

_OUTCOMES = (
    "dist.Normal({eta}, {scale}), obs=y[i]",
    "dist.StudentT(4.0, {eta}, {scale}), obs=y[i]",
    "dist.Bernoulli(logits={eta}), obs=(y[i] > 0).to(y.dtype)",
    "dist.Poisson(({eta}).tanh().exp()), obs=y[i].abs().round()",
)

_FAMILIES = ("AutoNormal", "AutoMultivariateNormal", "AutoDiagonalNormal", "AutoDelta",
             "AutoLowRankMultivariateNormal")  # fmt: skip


@dataclass(frozen=True)
class GeneratedModel:
    """A model with its guide.

    Attributes:
        source: A module that defines `model` and `guide`.
        enumerated: Whether a discrete latent is summed out.
        particles: Of how many draws a step is the mean.
    """

    source: str
    enumerated: bool
    particles: int


def generated(random: Random) -> GeneratedModel:
    """Return a random model."""
    latents = sorted(random.sample(sorted(_LATENTS), random.randrange(1, 4)))
    rows = random.choice([1, 2, 7, 20])
    enumerated = "q" in latents and random.random() < 0.6
    lines = [f'{name} = pyro.sample("{name}", {_LATENTS[name]})' for name in latents]
    eta = " + ".join(random.choice(_TERMS[name]) for name in latents)
    lines.append(f"eta = {eta}")
    if random.random() < 0.3:
        lines.append('pyro.factor("term", -0.1 * eta ** 2)')
    small = random.choice(["", "", f", subsample_size={max(1, rows // 2)}"])
    lines.append(f'with pyro.plate("rows", {rows}{small}) as i:')
    inner = _rows(latents, enumerated, random)
    if random.random() < 0.2:
        inner = ["with poutine.mask(mask=mask[i]):", *(f"    {line}" for line in inner)]
    if random.random() < 0.2:
        inner = ["with poutine.scale(scale=0.5):", *(f"    {line}" for line in inner)]
    lines += [f"    {line}" for line in inner]
    body = "".join(f"    {line}\n" for line in lines)
    hidden = 'poutine.block(model, hide=["z"])' if enumerated else "model"
    guide = f"guide = guides.{random.choice(_FAMILIES)}({hidden})\n"
    source = _HEAD.format(rows=rows) + body + "\n\n" + guide
    return GeneratedModel(source, enumerated, random.choice([1, 1, 4]))


def _rows(latents: list[str], enumerated: bool, random: Random) -> list[str]:
    lines, eta = [], "eta"
    if "w" in latents and random.random() < 0.7:
        eta += f" + {random.choice(_ROWS)}"
    if enumerated:
        lines.append('z = pyro.sample("z", dist.Categorical(q), infer={"enumerate": "parallel"})')
        eta += " + torch.tensor([-1.0, 0.0, 2.0])[z]"
    elif random.random() < 0.4:
        scale = "s" if "s" in latents else "0.5"
        lines.append(f'e = pyro.sample("e", dist.Normal(0.0, {scale}))')
        eta += " + e"
    scale = random.choice(["1.0", "0.5", *(["s"] if "s" in latents else [])])
    outcome = random.choice(_OUTCOMES).format(eta=eta, scale=scale)
    return [*lines, f'pyro.sample("y", {outcome})']
