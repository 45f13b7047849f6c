"""Models whose guides are networks, as Pyro's examples have them, in small."""

from __future__ import annotations

from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor, nn

from benchmarks.parity.case import Pair


def find_and_infer() -> Pair:
    """Objects found one after the other: a chain of choices that masks what they are like.

    The choices have the score function as their gradient, with a learnt baseline.
    """
    images = torch.stack([torch.linspace(-1, 1, 6), torch.linspace(0, 5, 6).sin(), torch.zeros(6)])
    look = nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 5))
    baseline = nn.Sequential(nn.Linear(7, 4), nn.Tanh(), nn.Linear(4, 1))
    draw = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 6))

    def model() -> None:
        pyro.module("draw", draw)
        with pyro.plate("data", 3):
            canvas, is_there = torch.zeros(3, 6), torch.ones(3)
            for t in range(2):
                is_there = pyro.sample(f"is_there_{t}", dist.Bernoulli(0.4 * is_there))
                kind = dist.Normal(torch.zeros(3, 2), 1.0).to_event(1).mask(is_there.bool())
                canvas = canvas + is_there[:, None] * draw(pyro.sample(f"kind_{t}", kind))
            pyro.sample("image", dist.Normal(canvas, 0.5).to_event(1), obs=images)

    def guide() -> None:
        pyro.module("look", look)
        pyro.module("baseline", baseline)
        with pyro.plate("data", 3):
            is_there = torch.ones(3)
            for t in range(2):
                seen = torch.cat([images, is_there[:, None]], -1)
                logit, loc, log_scale = look(seen).split([1, 2, 2], -1)
                chosen = dist.Bernoulli(is_there * torch.sigmoid(logit.squeeze(-1)))
                value = baseline(seen.detach()).squeeze(-1)
                infer = {"baseline": {"baseline_value": value}}
                is_there = pyro.sample(f"is_there_{t}", chosen, infer=infer)
                kind = dist.Normal(loc, 0.3 * log_scale.exp()).to_event(1)
                pyro.sample(f"kind_{t}", kind.mask(is_there.bool()))

    return model, guide


def deep_markov() -> Pair:
    """Sequences of different lengths, whose states a recurrent network reads backwards."""
    tones = (torch.arange(60).reshape(4, 5, 3) * 7 % 5 > 2).to(torch.get_default_dtype())
    lengths = torch.tensor([5, 4, 2, 5])
    move, emit = nn.Linear(2, 4), nn.Linear(2, 3)
    reader, join = nn.GRU(3, 4, batch_first=True), nn.Linear(6, 4)

    def model() -> None:
        pyro.module("move", move)
        pyro.module("emit", emit)
        with pyro.plate("sequences", 4):
            z = torch.zeros(4, 2)
            for t in pyro.markov(range(5)):
                with poutine.mask(mask=t < lengths):
                    loc, log_scale = move(z).chunk(2, -1)
                    gate = torch.sigmoid(loc)
                    scale = 0.5 + nn.functional.softplus(log_scale)  # else tails are too heavy
                    moved = dist.Normal((1 - gate) * z + gate * loc, scale)
                    z = pyro.sample(f"z_{t}", moved.to_event(1))
                    tone = dist.Bernoulli(logits=emit(z)).to_event(1)
                    pyro.sample(f"x_{t}", tone, obs=tones[:, t])

    def guide() -> None:
        pyro.module("reader", reader)
        pyro.module("join", join)
        first = pyro.param("first", torch.zeros(2))
        read = reader(tones.flip(1), torch.zeros(1, 4, 4))[0].flip(1)
        with pyro.plate("sequences", 4):
            z: Tensor = first.expand(4, 2)
            for t in pyro.markov(range(5)):
                with poutine.mask(mask=t < lengths):
                    loc, log_scale = join(torch.cat([z, read[:, t]], -1)).chunk(2, -1)
                    moved = dist.Normal(loc, nn.functional.softplus(log_scale))
                    z = pyro.sample(f"z_{t}", moved.to_event(1))

    return model, guide


def semi_supervised() -> Pair:
    """Labels that some rows have; a network guesses the others', which the guide enumerates."""
    rows = torch.stack([torch.linspace(-1, 1, 8), torch.linspace(0, 9, 8).sin()], 1)
    labels = torch.arange(3) % 2
    guess, encode, decode = nn.Linear(2, 2), nn.Linear(4, 2), nn.Linear(3, 2)

    def with_label(values: Tensor, label: Tensor) -> Tensor:
        one_hot = torch.eye(2)[label]
        shape = torch.broadcast_shapes(values.shape[:-1], one_hot.shape[:-1])
        return torch.cat([v.expand(*shape, v.shape[-1]) for v in (values, one_hot)], -1)

    def model() -> None:
        pyro.module("decode", decode)
        share = pyro.sample("share", dist.Dirichlet(torch.ones(2)))
        for name, given, label in (("known", rows[:3], labels), ("open", rows[3:], None)):
            with pyro.plate(name, len(given)):
                y = pyro.sample(f"y_{name}", dist.Categorical(share), obs=label)
                z = pyro.sample(f"z_{name}", dist.Normal(torch.zeros(1), 1.0).to_event(1))
                x = dist.Normal(decode(with_label(z, y)), 0.5).to_event(1)
                pyro.sample(f"x_{name}", x, obs=given)

    def guide() -> None:
        pyro.module("guess", guess)
        pyro.module("encode", encode)
        counts = pyro.param("counts", torch.tensor([2.0, 3.0]), dist.constraints.positive)
        pyro.sample("share", dist.Dirichlet(counts))
        for name, given, label in (("known", rows[:3], labels), ("open", rows[3:], None)):
            with pyro.plate(name, len(given)):
                y: Any = label
                if label is None:
                    guessed = dist.Categorical(logits=guess(given))
                    y = pyro.sample(f"y_{name}", guessed, infer={"enumerate": "parallel"})
                loc, log_scale = encode(with_label(given, y)).chunk(2, -1)
                pyro.sample(f"z_{name}", dist.Normal(loc, log_scale.exp()).to_event(1))

    return model, guide
