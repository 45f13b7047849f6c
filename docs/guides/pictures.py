"""Draw what each family of guides can and cannot fit: `docs/guides/images/<family>.png`.

    python docs/guides/pictures.py [AutoNormal …]

Each family is fitted, with a fixed seed, to six posteriors of two latents x and y. A panel shows
the exact density in grey (the regions that hold 50, 90 and 99 % of the mass), draws of the guide on
top, and how far the guide's ELBO stays below the exact log evidence, in nats. Discrete guides are
drawn as bars. All pictures take about five minutes on one thread.
"""

from __future__ import annotations

import functools
import io
import math
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from matplotlib.figure import Figure
from PIL import Image
from pyro.distributions.transforms import ComposeTransformModule, affine_coupling, permute
from pyro.infer import SVI, Trace_ELBO, TraceEnum_ELBO
from pyro.optim import Adam, ClippedAdam
from torch import Tensor

import autoguide_core as ag

IMAGES = Path(__file__).parent / "images"
GUIDE, TEXT = "#c8102e", "#333333"
GREYS = ["#ededed", "#d0d0d0", "#a8a8a8"]
NUM_DRAWS = 400


# --- Posteriors ---


@dataclass(frozen=True)
class Target:
    """A posterior of two latents.

    Attributes:
        name: What the panel is called.
        x: Makes the prior of x, anew for each run: guides may start from its tensors.
        y: The prior of y given x.
        data: What the data say of both: an observed site; None for nothing.
        window: The least and the greatest x, then those of y, that are shown.
    """

    name: str
    x: Callable[[], Any]
    y: Callable[[Tensor], Any]
    data: Callable[[Tensor, Tensor], tuple[Any, Tensor]] | None
    window: tuple[float, float, float, float]

    def log_joint(self, x: Tensor, y: Tensor) -> Tensor:
        """The log of prior times likelihood."""
        total = self.x().log_prob(x) + self.y(x).log_prob(y)
        if self.data is not None:
            distribution, seen = self.data(x, y)
            total = total + distribution.log_prob(seen)
        return total

    def model(self) -> None:
        """The model with x outside the plate."""
        self.local(self.shared())

    def model_of_pairs(self) -> None:
        """The model with both latents inside the plate."""
        with pyro.plate("group", 1):
            self._rest(pyro.sample("x", self.x()))

    def shared(self) -> Tensor:
        """The part of the model outside the plate."""
        return pyro.sample("x", self.x())

    def local(self, x: Tensor) -> None:
        """The part of the model inside the plate, of one element."""
        with pyro.plate("group", 1):
            self._rest(x)

    def _rest(self, x: Tensor) -> None:
        y = pyro.sample("y", self.y(x))
        if self.data is not None:
            distribution, seen = self.data(x, y)
            pyro.sample("seen", distribution, obs=seen)


def normal(loc: Any, scale: Any) -> Any:
    """A Normal that does not check its arguments."""
    return dist.Normal(loc, scale, validate_args=False)


def two_modes(x: Tensor, y: Tensor) -> tuple[Any, Tensor]:
    """A likelihood that knows the square of x only, and how y differs from x."""
    seen = torch.stack(torch.broadcast_tensors(x * x, y - 0.7 * x), -1)
    return normal(seen, torch.tensor([1.0, 0.5])).to_event(1), torch.tensor([2.5, 0.0])


TARGETS = [
    Target(
        "correlated by data",
        lambda: normal(0.0, 1.5),
        lambda x: normal(0.0, 1.5),
        lambda x, y: (normal(x - y, 0.45), torch.tensor(0.0)),
        (-4.0, 4.0, -4.0, 4.0),
    ),
    Target(
        "correlated by the prior",
        lambda: normal(0.0, 1.5),
        lambda x: normal(x, 0.5),
        lambda x, y: (normal(y, 2.0), torch.tensor(0.0)),
        (-4.0, 4.0, -4.0, 4.0),
    ),
    Target(
        "funnel",
        lambda: normal(0.0, 1.0),
        lambda x: normal(0.0, x.exp()),
        None,
        (-3.5, 3.5, -8.0, 8.0),
    ),
    Target(
        "banana",
        lambda: normal(0.0, 1.2),
        lambda x: normal(0.0, 4.0),
        lambda x, y: (normal(y - x * x, 0.7), torch.tensor(0.0)),
        (-3.2, 3.2, -2.5, 6.5),
    ),
    Target(
        "two modes",
        lambda: normal(0.0, 3.0),
        lambda x: normal(0.0, 3.0),
        two_modes,
        (-3.5, 3.5, -3.5, 3.5),
    ),
    Target(
        "edges",
        lambda: dist.Exponential(1.0, validate_args=False),
        lambda x: dist.Uniform(0.0, 2.0, validate_args=False),
        lambda x, y: (normal(x + y, 0.5), torch.tensor(1.2)),
        (-0.3, 2.6, -0.25, 2.25),
    ),
]


def _grid(target: Target, window: tuple[float, ...], size: int) -> tuple[Tensor, Tensor, Tensor]:
    """A grid over a window, and the log joint density on it, shape (y, x)."""
    left, right, low, high = window
    xs, ys = torch.linspace(left, right, size), torch.linspace(low, high, size)
    x, y = torch.meshgrid(xs, ys, indexing="xy")
    log_p = target.log_joint(x, y)
    if target.name == "edges":
        log_p = log_p.masked_fill((x < 0) | (y < 0) | (y > 2), -torch.inf)
    return xs, ys, log_p


@dataclass(frozen=True)
class Exact:
    """The exact posterior: a grid over the window, the density on it, and integrals of it.

    Attributes:
        xs: The grid along x.
        ys: The grid along y.
        density: The posterior density, shape (y, x).
        evidence: The log evidence.
        levels: The densities at the borders of the regions that hold 99, 90 and 50 %.
    """

    xs: Tensor
    ys: Tensor
    density: Tensor
    evidence: float
    levels: list[float]


@functools.cache
def exact(target: Target) -> Exact:
    """Integrate a posterior on a fine grid that reaches far beyond the window."""
    far = (0.0, 12.0, 0.0, 2.0) if target.name == "edges" else (-9.0, 9.0, -40.0, 40.0)
    xs, ys, log_p = _grid(target, far, 3000)
    area = float((xs[1] - xs[0]) * (ys[1] - ys[0]))
    evidence = float(log_p.logsumexp((0, 1))) + math.log(area)
    ordered = (log_p - evidence).exp().flatten().sort(descending=True).values
    mass = (ordered * area).cumsum(0)
    levels = [float(ordered[int((mass < share).sum())]) for share in (0.99, 0.9, 0.5)]
    xs, ys, log_p = _grid(target, target.window, 300)
    return Exact(xs, ys, (log_p - evidence).exp(), evidence, levels)


# --- Families ---


def couplings(dim: int) -> Any:
    """Three affine couplings, the order reversed between them."""
    layers = []
    for _ in range(3):
        layers += [affine_coupling(dim, hidden_dims=[16]), permute(dim, torch.tensor([1, 0]))]
    return ComposeTransformModule(layers)


@dataclass(frozen=True)
class Family:
    """How a family is fitted.

    Attributes:
        make: Makes the guide of a target.
        pairs: Whether both latents stand inside the plate.
        steps: How many steps are made.
        lr: The first learning rate.
        particles: How many draws a step takes.
        method: The method of `fit`.
    """

    make: Callable[[Target, Callable[[], None]], Any]
    pairs: bool = False
    steps: int = 600
    lr: float = 0.08
    particles: int = 16
    method: str = "adam"


def plain(guide: Callable[..., Any], **options: Any) -> Callable[[Target, Callable[[], None]], Any]:
    """Makes the guide from the model alone."""
    return lambda target, model: guide(model, **options)


def semi(target: Target, model: Callable[[], None]) -> Any:
    """X by a Normal, y annealed given x."""
    return ag.AutoSemiDAIS(
        model, target.local, ag.AutoNormal(target.shared), K=6, eta_init=0.15, eta_max=0.5
    )


START = {"init_loc_fn": ag.init_to_median, "init_scale": 0.5}

FAMILIES = {
    "AutoDelta": Family(plain(ag.AutoDelta), particles=1, steps=300),
    "AutoNormal": Family(plain(ag.AutoNormal)),
    "AutoDiagonalNormal": Family(plain(ag.AutoDiagonalNormal)),
    "AutoMultivariateNormal": Family(plain(ag.AutoMultivariateNormal)),
    "AutoNoncenteredMultivariateNormal": Family(plain(ag.AutoNoncenteredMultivariateNormal)),
    "AutoLowRankMultivariateNormal": Family(plain(ag.AutoLowRankMultivariateNormal, rank=1)),
    "AutoLaplaceApproximation": Family(plain(ag.AutoLaplaceApproximation), method="auto"),
    "AutoBatchedMultivariateNormal": Family(plain(ag.AutoBatchedMultivariateNormal), pairs=True),
    "AutoBatchedLowRankMultivariateNormal": Family(
        plain(ag.AutoBatchedLowRankMultivariateNormal, rank=1), pairs=True
    ),
    "AutoStructured": Family(plain(ag.AutoStructured, conditionals="normal")),
    "AutoGaussian": Family(plain(ag.AutoGaussian)),
    "AutoNormalMessenger": Family(plain(ag.AutoNormalMessenger), steps=800),
    "AutoHierarchicalNormalMessenger": Family(plain(ag.AutoHierarchicalNormalMessenger), steps=800),
    "AutoRegressiveMessenger": Family(plain(ag.AutoRegressiveMessenger, init_scale=0.5), steps=800),
    "AutoNormalizingFlow": Family(
        plain(ag.AutoNormalizingFlow, init_transform_fn=couplings, **START), lr=0.006, steps=1500
    ),
    "AutoIAFNormal": Family(
        plain(ag.AutoIAFNormal, hidden_dim=[16, 16], num_transforms=2, **START),
        lr=0.01,
        steps=1200,
    ),
    "AutoBNAFNormal": Family(
        plain(ag.AutoBNAFNormal, init_loc_fn=ag.init_to_median, init_scale=1.0), lr=0.02, steps=1200
    ),
    "AutoDAIS": Family(plain(ag.AutoDAIS, K=8, eta_init=0.15, eta_max=0.5), steps=350),
    "AutoSemiDAIS": Family(semi, steps=400, lr=0.05),
}


def fitted(family: Family, target: Target) -> tuple[dict[str, Tensor], float]:
    """Draws of the fitted guide, and its ELBO."""
    model = target.model_of_pairs if family.pairs else target.model
    pyro.clear_param_store()
    pyro.set_rng_seed(1)
    guide = family.make(target, model)
    if isinstance(guide, ag.AutoMessenger):
        train_messenger(model, guide, family)
        return drawn(model, guide)
    settings = ag.FitSettings(
        steps=family.steps,
        optimizer_options={"lr": family.lr},
        particles=family.particles,
        seed=1,
        method=family.method,
    )
    result = ag.fit(model, guide, settings=settings)
    with result.parameters():
        return drawn(model, result.guide)


def train_messenger(model: Callable[[], None], guide: Any, family: Family) -> None:
    """Train a guide by Pyro's own loop, with a learning rate that falls to a hundredth."""
    optimizer = ClippedAdam({"lr": family.lr, "lrd": 0.01 ** (1 / family.steps)})
    elbo = Trace_ELBO(family.particles, vectorize_particles=True, max_plate_nesting=1)
    svi = SVI(model, guide, optimizer, elbo)
    for _ in range(family.steps):
        svi.step()


def drawn(model: Callable[[], None], guide: Any) -> tuple[dict[str, Tensor], float]:
    """Draws of a guide, and its ELBO over 4,000 others."""
    pyro.set_rng_seed(2)
    elbo = Trace_ELBO(4000, vectorize_particles=True, max_plate_nesting=1)
    with torch.no_grad():
        return guide.sample_posterior(NUM_DRAWS), -elbo.loss(model, guide)


# --- Discrete guides ---


def counts() -> None:
    """Some of the eggs in a nest are seen."""
    eggs = pyro.sample("eggs", dist.Binomial(6, 0.5))
    pyro.sample("seen", dist.Poisson(0.7 * eggs + 0.01), obs=torch.tensor(3.0))


def switches(joint: bool) -> Callable[[], None]:
    """One of two switches is on, as one event or as two sites."""

    def model() -> None:
        if joint:
            both = pyro.sample("both", dist.Bernoulli(torch.tensor([0.6, 0.5])).to_event(1))
            first, second = both[..., 0], both[..., 1]
        else:
            first = pyro.sample("first", dist.Bernoulli(0.6))
            second = pyro.sample("second", dist.Bernoulli(0.5))
        pyro.sample("sum", dist.Normal(first + second, 0.3), obs=torch.tensor(1.0))

    return model


def exact_switches() -> Tensor:
    """The posterior of the four settings."""
    states = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    log_p = dist.Bernoulli(torch.tensor([0.6, 0.5])).log_prob(states).sum(-1)
    return (log_p + dist.Normal(states.sum(-1), 0.3).log_prob(torch.tensor(1.0))).softmax(0)


def exact_counts() -> Tensor:
    """The posterior of the number of eggs."""
    eggs = torch.arange(7.0)
    log_p = dist.Binomial(6, 0.5).log_prob(eggs)
    return (log_p + dist.Poisson(0.7 * eggs + 0.01).log_prob(torch.tensor(3.0))).softmax(0)


def draw_discrete() -> str:
    """Fit the discrete guide to three posteriors and draw them as bars."""
    cases = [
        ("a count", counts, exact_counts(), [str(number) for number in range(7)]),
        ("two switches, one event", switches(True), exact_switches(), ["00", "01", "10", "11"]),
        ("two switches, two sites", switches(False), exact_switches(), ["00", "01", "10", "11"]),
    ]
    figure = Figure(figsize=(7.5, 2.9), layout="constrained")
    gaps = []
    for axes, (name, model, truth, labels) in zip(figure.subplots(1, 3), cases, strict=True):
        pyro.clear_param_store()
        pyro.set_rng_seed(1)
        guide = ag.AutoDiscreteParallel(model)
        svi = SVI(model, guide, Adam({"lr": 0.05}), TraceEnum_ELBO(max_plate_nesting=0))
        for _ in range(400):
            svi.step()
        held = guide.probabilities()
        if "first" in held:
            on = [torch.stack([1 - held[site], held[site]]) for site in ("first", "second")]
            guessed = torch.outer(*on).flatten()
        else:
            guessed = next(iter(held.values()))
        gap = float((guessed * (guessed / truth).log()).sum())
        place = torch.arange(len(labels)).float()
        axes.bar(place - 0.2, truth, 0.4, color=GREYS[2])
        axes.bar(place + 0.2, guessed, 0.4, color=GUIDE, alpha=0.8)
        axes.set(ylim=(0, 1), yticks=[], xticks=place.tolist(), xticklabels=labels)
        axes.tick_params(length=0, labelcolor=TEXT)
        for side in ("left", "right", "top"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color("#cccccc")
        axes.set_title(f"{name}\n{max(gap, 0):.2f} nats", fontsize=10.5, color=TEXT)
        gaps.append(f"{gap:.2f}")
    finish(figure, "AutoDiscreteParallel")
    return ", ".join(gaps)


# --- Drawing ---


def panel(axes: Any, target: Target, draws: dict[str, Tensor], gap: float | None) -> None:
    """One target with draws of a guide."""
    truth = exact(target)
    levels = [*truth.levels, 2 * float(truth.density.max())]
    axes.contourf(truth.xs, truth.ys, truth.density, levels=levels, colors=GREYS)
    x, y = (draws[name].reshape(-1) for name in ("x", "y"))
    point = len(torch.unique(x)) == 1
    axes.plot(x, y, "o", color=GUIDE, ms=6 if point else 2.2, alpha=1 if point else 0.45, mew=0)
    left, right, low, high = target.window
    axes.set(xlim=(left, right), ylim=(low, high), xticks=[], yticks=[])
    told = "a point" if gap is None else f"{max(gap, 0):.2f} nats"
    axes.set_title(f"{target.name}\n{told}", fontsize=10.5, color=TEXT)


def finish(figure: Figure, name: str) -> None:
    """Write a figure with a palette of 64 colours."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=80)
    path = IMAGES / f"{name}.png"
    picture = Image.open(buffer).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


def draw(name: str) -> str:
    """Fit a family to all targets and draw them."""
    figure = Figure(figsize=(7.5, 5.6), layout="constrained")
    gaps = []
    for axes, target in zip(figure.subplots(2, 3).flat, TARGETS, strict=True):
        draws, elbo = fitted(FAMILIES[name], target)
        gap = None if name == "AutoDelta" else exact(target).evidence - elbo
        panel(axes, target, draws, gap)
        gaps.append("point" if gap is None else f"{gap:.2f}")
        for spine in axes.spines.values():
            spine.set_color("#cccccc")
    finish(figure, name)
    return ", ".join(gaps)


def main(names: list[str]) -> None:
    """Draw the pictures named, or all."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    pyro.enable_validation(False)
    IMAGES.mkdir(exist_ok=True)
    for name in names or [*FAMILIES, "AutoDiscreteParallel"]:
        start = time.process_time()
        gaps = draw_discrete() if name == "AutoDiscreteParallel" else draw(name)
        print(f"{name}: {gaps} ({time.process_time() - start:.0f} s of CPU)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
