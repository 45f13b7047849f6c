"""AutoDiscreteParallel against exact enumeration by hand, and against stock Pyro."""

from __future__ import annotations

import copy
import io
import itertools

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, TraceEnum_ELBO
from pyro.infer import autoguide as stock
from pyro.optim import Adam

from autoguide_core import AutoDiscreteParallel, AutoGuideList, AutoNormal
from autoguide_core.guides.finite import FiniteTable


def elbo(depth=1, **options):
    return TraceEnum_ELBO(max_plate_nesting=depth, **options)


def train(model, guide, steps=150, depth=1, lr=0.1, *args):
    svi = SVI(model, guide, Adam({"lr": lr}), elbo(depth))
    return [svi.step(*args) for _ in range(steps)]


def exact(model, name, values, depth=0):
    """Log joint of a model of one site at each of its values; shape (K,)."""
    result = []
    for value in values:
        conditioned = poutine.condition(model, data={name: value})
        result.append(poutine.trace(conditioned).get_trace().log_prob_sum())
    return torch.stack(result)


def counts():
    with pyro.plate("data", 3):
        n = pyro.sample("n", dist.Binomial(4, torch.tensor([0.2, 0.5, 0.7])))
        pyro.sample("y", dist.Poisson(n + 0.5), obs=torch.tensor([3.0, 0.0, 1.0]))


def coupled():
    """The entries are dependent given the data: only a joint table gets this right."""
    z = pyro.sample("z", dist.Bernoulli(torch.tensor([0.3, 0.6, 0.5])).to_event(1))
    pyro.sample("y", dist.Normal(z.sum(-1), 0.3), obs=torch.tensor(1.0))


def one_hots():
    z = pyro.sample("z", dist.OneHotCategorical(torch.tensor([0.2, 0.8])).expand([2]).to_event(1))
    pyro.sample("y", dist.Normal(z[..., 0, 0] + 2 * z[..., 1, 1], 0.5), obs=torch.tensor(1.1))


def beta_binomial():
    n = pyro.sample("n", dist.BetaBinomial(2.0, 1.0, 3))
    pyro.sample("y", dist.Normal(n, 1.0), obs=torch.tensor(2.2))


@pytest.mark.parametrize(
    ("model", "site", "num_values"),
    [(coupled, "z", 8), (one_hots, "z", 4), (beta_binomial, "n", 4)],
)
def test_the_fit_is_the_exact_posterior(model, site, num_values):
    guide = AutoDiscreteParallel(model)
    guide()
    values = guide.enumerated_values()[site]
    assert len(values) == num_values
    log_joint = exact(model, site, values)
    with torch.no_grad():  # at the exact posterior the ELBO is the evidence, whatever is drawn
        pyro.param(f"AutoDiscreteParallel.{site}_probs").unconstrained().copy_(log_joint)
    loss = elbo(0).loss(model, guide)
    assert loss == pytest.approx(-log_joint.logsumexp(0).item(), rel=1e-5)
    pyro.clear_param_store()
    guide = AutoDiscreteParallel(model)
    losses = train(model, guide, 150, 0)
    torch.testing.assert_close(guide.probabilities()[site], log_joint.softmax(0), rtol=0, atol=0.02)
    assert losses[-1] == pytest.approx(-log_joint.logsumexp(0).item(), abs=0.03)
    assert torch.equal(guide.median()[site], values[log_joint.argmax()])


def test_counts_in_a_plate_have_the_exact_posterior_and_summaries():
    guide = AutoDiscreteParallel(counts)
    guide()
    prior = dist.Binomial(4, torch.tensor([0.2, 0.5, 0.7]))
    support = prior.enumerate_support()
    torch.testing.assert_close(guide.n_probs.detach(), prior.log_prob(support).exp().T)
    train(counts, guide)
    y = torch.tensor([3.0, 0.0, 1.0])
    log_joint = prior.log_prob(support) + dist.Poisson(support + 0.5).log_prob(y)
    expected = log_joint.softmax(0).T
    torch.testing.assert_close(guide.probabilities()["n"], expected, rtol=0, atol=0.02)
    draws = guide.sample_posterior(20_000)["n"]
    assert draws.shape == (20_000, 3)
    torch.testing.assert_close(
        draws.mean(0), (expected * torch.arange(5.0)).sum(-1), rtol=0, atol=0.05
    )
    levels = [0.1, 0.5, 0.95]
    assert torch.equal(
        guide.quantiles(levels)["n"],
        torch.quantile(draws, torch.tensor(levels), dim=0, interpolation="higher"),
    )
    scores = guide._score({"n": draws[:50]})
    by_hand = guide.probabilities()["n"].log()[torch.arange(3), draws[:50].long()].sum(-1)
    torch.testing.assert_close(scores, by_hand)


def batches(size=None, keep=None):
    keep = torch.ones(6, dtype=torch.bool) if keep is None else keep
    data = pyro.plate("data", 6, subsample_size=size, dim=-1)
    with pyro.plate("rows", 2, dim=-2), data as index, poutine.mask(mask=keep[index]):
        a = pyro.sample("a", dist.Bernoulli(0.4))
        n = pyro.sample("n", dist.Binomial(3, 0.4))
        z = pyro.sample("z", dist.Bernoulli(0.5 * torch.ones(2)).to_event(1))
        loc = a + n + z.sum(-1)
        pyro.sample("y", dist.Normal(loc, 1.0), obs=index.float().expand(2, -1))


def test_subsampled_masked_sites_have_full_size_and_leave_masked_entries_alone():
    keep = torch.tensor([True, True, False, True, False, True])
    guide = AutoDiscreteParallel(batches)
    losses = train(batches, guide, 40, 2, 0.1, 3, keep)
    assert torch.isfinite(torch.tensor(losses)).all()
    assert guide.n_probs.shape == (2, 6, 4)
    assert guide.z_probs.shape == (2, 6, 4)
    start = torch.tensor([0.216, 0.432, 0.288, 0.064])
    moved = (guide.n_probs - start).abs().amax(-1) > 0.02
    assert torch.equal(moved, keep.expand(2, -1))
    draws = guide.sample_posterior(5, 3, keep)
    assert {k: v.shape for k, v in draws.items()} == {
        "a": (5, 2, 6),
        "n": (5, 2, 6),
        "z": (5, 2, 6, 2),
    }
    assert guide.quantiles([0.2, 0.8], 3, keep)["z"].shape == (2, 2, 6, 2)
    assert guide.median(3, keep)["z"].shape == (2, 6, 2)
    # The score leaves out what the mask leaves out, at full size.
    score = guide._score(draws, 3, keep)
    for name in draws:
        draws[name][:, :, ~keep] = 1
    torch.testing.assert_close(guide._score(draws, 3, keep), score)
    assert (guide._score(draws, 3, torch.ones(6, dtype=torch.bool)) < score).all()


def test_minibatch_losses_average_to_the_loss_on_all_data():
    full = elbo(2).loss(batches, AutoDiscreteParallel(batches))
    pyro.clear_param_store()
    guide = AutoDiscreteParallel(batches)
    losses = torch.tensor([elbo(2).loss(batches, guide, 3) for _ in range(200)])
    assert losses.std() > 0
    assert losses.mean() == pytest.approx(full, abs=4 * losses.std().item() / 200**0.5)


def test_vectorised_particles_and_float64():
    def model():
        n = pyro.sample("n", dist.Binomial(3, torch.tensor(0.4, dtype=torch.float64)))
        x = pyro.sample("x", dist.Normal(n, torch.ones((), dtype=torch.float64)))
        pyro.sample("y", dist.Normal(x, 1.0), obs=torch.tensor(1.0, dtype=torch.float64))

    guide = AutoGuideList(model)
    guide.append(AutoDiscreteParallel(poutine.block(model, expose=["n"])))
    guide.append(AutoNormal(poutine.block(model, expose=["x"])))
    one = elbo(0, num_particles=4000, vectorize_particles=True).loss(model, guide)
    pyro.set_rng_seed(1)
    assert guide[0].n_probs.dtype == torch.float64
    losses = [elbo(0).loss(model, guide) for _ in range(400)]
    assert one == pytest.approx(sum(losses) / 400, abs=0.15)


@pytest.mark.parametrize("size", [None, 3])
def test_pyro_s_own_families_equal_stock_pyro(size):
    def model():
        with pyro.plate("data", 6, subsample_size=size) as index:
            a = pyro.sample("a", dist.Bernoulli(logits=torch.tensor(0.3)))
            b = pyro.sample("b", dist.Categorical(torch.tensor([0.2, 0.3, 0.5])))
            c = pyro.sample("c", dist.OneHotCategorical(torch.tensor([0.1, 0.9])))
            pyro.sample("y", dist.Normal(a + b + c[..., 0], 1.0), obs=index.float())

    results = []
    for module in (stock.AutoDiscreteParallel, AutoDiscreteParallel):
        pyro.clear_param_store()
        pyro.set_rng_seed(0)
        guide = module(model)
        guide()
        start = {k: v.detach().clone() for k, v in pyro.get_param_store().items()}
        pyro.set_rng_seed(1)
        loss = elbo().loss_and_grads(model, guide) if size is None else None
        grads = {k: v.unconstrained().grad for k, v in pyro.get_param_store().items()}
        results.append((start, loss, grads))
    (start, loss, grads), (our_start, our_loss, our_grads) = results
    assert list(start) == list(our_start)
    if size is None:
        torch.testing.assert_close(our_start, start)
        assert our_loss == pytest.approx(loss, rel=1e-6)
        torch.testing.assert_close(our_grads, grads)
    else:  # stock parameters have the size of the minibatch
        assert {v.shape[0] for v in start.values()} == {3}
        assert {v.shape[0] for v in our_start.values()} == {6}
        torch.testing.assert_close({k: v[:3] for k, v in our_start.items()}, start)


def test_ordered_logistic_is_a_categorical_and_even_odds_have_a_mode():
    def model():
        cut = torch.tensor([-1.0, 1.0])
        pyro.sample("a", dist.OrderedLogistic(torch.tensor(0.5), cut))
        pyro.sample("b", dist.Bernoulli(0.5))

    guide = AutoDiscreteParallel(model)
    guide()
    assert guide.a_probs.shape == (3,)
    assert guide.median()["b"].item() == 0.0


def test_what_cannot_be_summed_over_is_refused_with_the_remedy():
    def refuse(error, match, model, *args):
        pyro.clear_param_store()
        with pytest.raises(error, match=match):
            AutoDiscreteParallel(model)(*args)

    big = torch.full((11,), 0.5)
    refuse(
        ValueError,
        r"'z'.*2\^11.*pyro.plate",
        lambda: pyro.sample("z", dist.Bernoulli(big).to_event(1)),
    )
    refuse(ValueError, "'n'.*2001 values", lambda: pyro.sample("n", dist.Binomial(2000, 0.5)))
    refuse(
        NotImplementedError,
        "'k'.*Poisson.*poutine.block",
        lambda: pyro.sample("k", dist.Poisson(1.0)),
    )
    refuse(NotImplementedError, "'x'.*Normal", lambda: pyro.sample("x", dist.Normal(0.0, 1.0)))
    refuse(
        NotImplementedError,
        "'b'.*sequential",
        lambda: pyro.sample("b", dist.Bernoulli(0.5), infer={"enumerate": "sequential"}),
    )
    refuse(
        ValueError,
        "'n'.*total_count",
        lambda: pyro.sample("n", dist.Binomial(torch.tensor([2.0, 3.0]), 0.5).to_event(1)),
    )
    refuse(
        ValueError,
        "'z'.*mask over single entries",
        lambda: pyro.sample(
            "z", dist.Bernoulli(big[:2]).mask(torch.tensor([True, False])).to_event(1)
        ),
    )

    def chained():
        n = pyro.sample("n", dist.Binomial(3, 0.5))
        pyro.sample("m", dist.Binomial(n, 0.5))

    refuse(ValueError, "'m' can take depend on site 'n'", chained)

    def sized(total):
        n = pyro.sample("n", dist.Binomial(total, 0.5))
        pyro.sample("y", dist.Normal(n, 1.0), obs=torch.tensor(1.0))

    pyro.clear_param_store()
    guide = AutoDiscreteParallel(sized)
    guide(torch.tensor(3.0))
    guide(torch.tensor(3.0))
    with pytest.raises(ValueError, match=r"'n' can take other values.*\(6 against 4\)"):
        guide(torch.tensor(5.0))


def test_saving_and_copying():
    guide = AutoDiscreteParallel(counts)
    train(counts, guide, 3)
    twin = copy.deepcopy(guide)
    buffer = io.BytesIO()
    torch.save(guide, buffer)
    buffer.seek(0)
    pyro.clear_param_store()
    loaded = torch.load(buffer, weights_only=False)
    for other in (twin, loaded):
        torch.testing.assert_close(other.probabilities(), guide.probabilities())
        assert other()["n"].shape == (3,)


def test_a_table_scores_and_draws_what_it_holds():
    values = torch.tensor([[0.0, 1.0], [2.0, 2.0], [1.0, 1.0]])
    probs = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    table = FiniteTable(values, probs)
    assert table.enumerate_support(expand=True).shape == (3, 2, 2)
    scores = table.log_prob(table.enumerate_support(expand=False)).exp()
    torch.testing.assert_close(scores, probs.T, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="support"):
        table.log_prob(torch.tensor([5.0, 1.0]))
    unchecked = FiniteTable(values, probs, validate_args=False)
    assert unchecked.log_prob(torch.tensor([5.0, 1.0])).tolist() == [-torch.inf] * 2
    draws = table.sample((3000,))
    torch.testing.assert_close(draws.mean(0)[0], probs[0] @ values, rtol=0, atol=0.06)
    assert (draws[:, 1] == values[0]).all()
    marginal = itertools.chain.from_iterable(table.quantiles(torch.tensor([0.5])).tolist())
    assert list(marginal) == [[1.0, 1.0], [0.0, 1.0]]
