"""Hidden Markov chains: the states summed out by the forward algorithm, and drawn afterwards.

Sources: Rabiner, A tutorial on hidden Markov models, Proceedings of the IEEE, 1989; the forward
weights of all steps are prefixes of a product of matrices in log space, as in Särkkä and
García-Fernández, Temporal parallelization of Bayesian smoothers, IEEE Transactions on Automatic
Control, 2021.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

import pyro
import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor

from autoguide_core.sequences.steps import Value, as_tensor

_DRAWING: ContextVar[bool] = ContextVar("drawing", default=False)


@contextmanager
def drawn_states() -> Iterator[None]:
    """Let models record draws of their chains' states while inside; they cost time, so ask."""
    token = _DRAWING.set(True)
    try:
        yield
    finally:
        _DRAWING.reset(token)


class HiddenMarkov:
    """A chain of K states over T steps, which are never drawn: what they emit is all that is seen.

    Args:
        initial: Probabilities of the states at the first step, (..., K); None: a weight of 1 each.
        transition: Probabilities of the next state, (..., T or 1, K, K): rows are states left. What
            it says of the first step is not used. Rows need not be normalised.
        length: T.
        dim: The axis of the steps among the batch dims of what is emitted, negative.
    """

    def __init__(
        self, initial: Tensor | None, transition: Tensor, length: int, dim: int = -1
    ) -> None:
        if transition.dim() < 2 - dim:
            transition = transition.reshape(
                (*(1,) * (2 - dim - transition.dim()), *transition.shape)
            )
        self.length = length
        self.dim = dim
        self.count = transition.shape[-1]
        rows = transition.expand(*transition.shape[:-2], self.count, self.count)
        self._moves = _logs(rows.movedim(dim - 2, -3))
        self._initial: Tensor | None = None
        if initial is not None:
            if initial.dim() < 1 - dim:
                initial = initial.reshape((*(1,) * (1 - dim - initial.dim()), *initial.shape))
            self._initial = _logs(initial.movedim(dim - 1, -2)[..., 0, :])
        self._evidence: list[Tensor] = []
        self._paths: dict[torch.Size, Tensor] = {}

    def emits(
        self, given: TorchDistribution, value: Tensor | None, counted: bool = True
    ) -> Emission:
        """Return the distribution of something that every step emits.

        Args:
            given: Its distribution for each state, which is the last batch dim: (..., T, K).
            value: What was seen; None if nothing is, as in a draw from the prior.
            counted: Whether the density of all that has been emitted so far is this one's. Of
                several things that a chain emits, the last one counts.
        """
        found = Emission(self, given, counted, tuple(self._evidence))
        if value is not None:
            self._evidence.append(found.by_state(value))
        return found

    def record(self, name: str) -> None:
        """Record a draw of the states given all that was seen, inside of `drawn_states` only."""
        if _DRAWING.get():
            seen = self.draw(sum(self._evidence[1:], self._evidence[0])) if self._evidence else None
            pyro.deterministic(name, self.path(self.shape()) if seen is None else seen)

    def shape(self, *parts: torch.Size) -> torch.Size:
        """Return the batch shape of the chain and further ones, `length` steps along `dim`."""
        own = [self._moves[..., 0, 0].movedim(-1, self.dim).shape]
        whole = [1] * max(len(part) for part in (*own, *parts))
        whole[self.dim] = self.length
        return torch.broadcast_shapes(*own, *parts, torch.Size(whole))

    def densities(self, evidence: Tensor) -> Tensor:
        """Return the log density of every step's emissions, given those of all steps before.

        Args:
            evidence: Log densities by state, (..., T, K).

        Returns:
            Shape (..., T); they sum to that of all steps.
        """
        first, maps = self._maps(evidence)
        if self.length == 1:
            return first.logsumexp(-1, keepdim=True).movedim(-1, self.dim)
        weights = torch.cat([first.unsqueeze(-2), _prefixes(first, maps)], -2).logsumexp(-1)
        steps = torch.cat([weights[..., :1], weights[..., 1:] - weights[..., :-1]], -1)
        return steps.movedim(-1, self.dim)

    def draw(self, evidence: Tensor) -> Tensor:
        """Draw the states, by forward filtering and backward sampling; whole numbers (..., T)."""
        with torch.no_grad():
            first, maps = self._maps(evidence)
            weights = [first]
            for step in range(self.length - 1):
                weights.append(_times(weights[-1].unsqueeze(-2), maps[..., step, :, :])[..., 0, :])
            state = torch.distributions.Categorical(logits=weights[-1]).sample()
            states = [state]
            for step in range(self.length - 2, -1, -1):
                moves = self._moves.expand(*self._moves.shape[:-3], self.length, -1, -1)
                column = moves[..., step + 1, :, :].mT
                batch = torch.broadcast_shapes(column.shape[:-2], state.shape)
                column = column.expand(*batch, *column.shape[-2:])
                index = state.expand(batch)[..., None, None].expand(*batch, 1, column.shape[-1])
                towards = column.gather(-2, index)[..., 0, :]
                state = torch.distributions.Categorical(logits=weights[step] + towards).sample()
                states.append(state)
            return torch.stack(states[::-1], -1).movedim(-1, self.dim)

    def path(self, shape: torch.Size) -> Tensor:
        """Draw states from the chain itself, seeing nothing; whole numbers of the given shape.

        All that a chain emits is of the same states, so that there is one draw of each shape.
        """
        if shape not in self._paths:
            blank = torch.zeros((*shape, self.count), dtype=self._moves.dtype)
            self._paths[shape] = self.draw(blank.to(self._moves.device))
        return self._paths[shape]

    def _maps(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log weights of the first step, (..., K), and the map of each later one."""
        seen = evidence.movedim(self.dim - 1, -2)
        seen = seen.expand(*seen.shape[:-2], self.length, -1)
        first = seen[..., 0, :]
        if self._initial is not None:
            first = first + self._initial
        moves = self._moves if self._moves.shape[-3] == 1 else self._moves[..., 1:, :, :]
        maps = moves + seen[..., 1:, :].unsqueeze(-2)
        batch = torch.broadcast_shapes(first.shape[:-1], maps.shape[:-3])
        return first.expand(*batch, -1), maps.expand(*batch, *maps.shape[-3:])


def two_states(chance: Value) -> Tensor:
    """Return the probabilities of two states, false and true, on a last axis."""
    true = as_tensor(chance, 0.0)
    return torch.stack([1 - true, true], -1)


def _logs(probabilities: Tensor) -> Tensor:
    """Return normalised log probabilities; an impossible one is the least number's, not -inf.

    So gradients stay finite: that of log(0) times a weight of 0 is none.
    """
    share = probabilities / probabilities.sum(-1, keepdim=True)
    return share.clamp(min=torch.finfo(share.dtype).tiny).log()


def _times(a: Tensor, b: Tensor) -> Tensor:
    """Return the product of two matrices of logarithms."""
    return (a.unsqueeze(-1) + b.unsqueeze(-3)).logsumexp(-2)


def _prefixes(first: Tensor, maps: Tensor) -> Tensor:
    """Return a vector times the first map, the first two, and so on, in log2(N) passes.

    Pairs of maps are multiplied, which leaves half of the problem; its results are every other one
    of those wanted, and one product each leads on to the next.

    Args:
        first: Logarithms, (..., K).
        maps: Logarithms, (..., N, K, K), at least one.

    Returns:
        Logarithms, (..., N, K).
    """
    count = maps.shape[-3]
    if count == 1:
        return _times(first.unsqueeze(-2), maps[..., 0, :, :])
    half = count // 2
    firsts = maps[..., 0::2, :, :]
    second = _prefixes(first, _times(firsts[..., :half, :, :], maps[..., 1::2, :, :]))
    before = first.unsqueeze(-2)
    if count > 2:
        before = torch.cat([before, second[..., : firsts.shape[-3] - 1, :]], -2)
    ahead = _times(before.unsqueeze(-2), firsts)[..., 0, :]
    pairs = torch.stack([ahead[..., :half, :], second], -2).flatten(-3, -2)
    return pairs if count % 2 == 0 else torch.cat([pairs, ahead[..., half:, :]], -2)


class Emission(TorchDistribution):
    """What the steps of a chain emit, the states summed out; made by `HiddenMarkov.emits`.

    Its batch dims hold the steps, which are not independent: the log density of each is that given
    all steps before, and only their sum is the density of the sequence.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}

    def __init__(
        self,
        chain: HiddenMarkov,
        given: TorchDistribution,
        counted: bool,
        others: tuple[Tensor, ...],
    ) -> None:
        self._chain = chain
        self._given = given
        self._counted = counted
        self._others = others
        shape = chain.shape(given.batch_shape[:-1])
        super().__init__(shape, given.event_shape, validate_args=False)

    def _current_support(self) -> constraints.Constraint:
        return self._given.support

    support = constraints.dependent_property(_current_support)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> Emission:
        """Return the distribution with a larger batch shape."""
        new: Emission = self._get_checked_instance(Emission, _instance)
        new._chain, new._given = self._chain, self._given
        new._counted, new._others = self._counted, self._others
        super(Emission, new).__init__(
            torch.Size(batch_shape), self.event_shape, validate_args=False
        )
        return new

    def by_state(self, value: Tensor) -> Tensor:
        """Return the log density of a value for each state, (..., T, K)."""
        density: Tensor = self._given.log_prob(value.unsqueeze(-1 - len(self.event_shape)))
        return density.expand(*self._chain.shape(density.shape[:-1]), density.shape[-1])

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density of every step, the batch shape; zeros if it is not counted."""
        shape = torch.broadcast_shapes(
            self.batch_shape, value.shape[: value.dim() - len(self.event_shape)]
        )
        if not self._counted:
            return torch.zeros(shape, dtype=value.dtype, device=value.device)
        return self._chain.densities(sum(self._others, self.by_state(value))).expand(shape)

    def sample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Draw the states, and what they emit; all emissions of a chain are of the same states."""
        shape = self._extended_shape(sample_shape)
        batch = torch.Size(shape[: len(shape) - len(self.event_shape)])
        states = self._chain.path(batch)
        drawn = self._given.expand([*batch, self._chain.count]).sample()
        rank = len(self.event_shape)
        index = states.reshape(*states.shape, 1, *(1,) * rank)
        index = index.expand(*states.shape, 1, *self.event_shape)
        return drawn.gather(-1 - rank, index).squeeze(-1 - rank)
