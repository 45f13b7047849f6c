"""The recorder of tensor operations, and its rules, against what torch itself does."""

import subprocess
import sys

import pytest
import torch

from autoguide_core.engine.tracing.decompositions import _OWN, decompositions
from autoguide_core.engine.tracing.record import Unrecordable, record

_aten = torch.ops.aten
_X = torch.tensor([[-30.0, -1.5, 0.0], [0.5, 3.0, 45.0]], dtype=torch.float64)
_Y = torch.tensor([[0.2, 1.0, 0.7], [0.9, 0.1, 0.5]], dtype=torch.float64)
_INF = torch.tensor([[-torch.inf, -torch.inf], [torch.inf, 1.0]], dtype=torch.float64)
_LOWER = torch.tensor([[2.0, 0, 0], [1, 3, 0], [-1, 2, 1]], dtype=torch.float64)
_SOLVE = _aten.linalg_solve_triangular.default
_CALLS = [
    (_aten.softplus.default, (_X,)),
    (_aten.softplus.default, (_X, 2.0, 5.0)),
    (_aten.softplus_backward.default, (_Y, _X, 2.0, 5.0)),
    (_aten.log_sigmoid_forward.default, (_X,)),
    (_aten.log_sigmoid_backward.default, (_Y, _X, (-_X.abs()).exp())),
    (_aten.sigmoid_backward.default, (_X, _Y)),
    (_aten.tanh_backward.default, (_X, _Y)),
    (_aten.threshold_backward.default, (_Y, _X, 0.0)),
    (_aten.logsumexp.default, (_X, [1])),
    (_aten.logsumexp.default, (_INF, [1], True)),
    (_aten._softmax.default, (_X, 1, False)),
    (_aten._softmax_backward_data.default, (_X, _Y, 1, torch.float64)),
    (_aten._log_softmax.default, (_X, 0, False)),
    (_aten._log_softmax_backward_data.default, (_X, -_Y, 0, torch.float64)),
    (_aten.xlogy.Tensor, (torch.tensor([0.0, 0.0, 2.0]), torch.tensor([0.0, torch.nan, 3.0]))),
    (_aten.tril.default, (_X, -1)),
    (_aten.tril.default, (_X,)),
    (_aten.triu.default, (_X, 1)),
    (_aten.stack.default, ([_X, _Y], -1)),
    (_aten.index_add.default, (_X, 1, torch.tensor([2, 0, 2]), _Y)),
    (_SOLVE, (_LOWER, _X.mT)),
    (_SOLVE, (_LOWER.mT, _X.mT), {"upper": True, "unitriangular": True}),
    (_aten.where.ScalarSelf, (_X > 0, 2, _Y)),
    (_aten.where.ScalarOther, (_X > 0, _Y, -torch.inf)),
    (_aten.fill.Scalar, (_X, 3.0)),
    (_aten.masked_fill.Scalar, (_X, _X > 0, 7.0)),
]


@pytest.mark.parametrize("call", _CALLS, ids=lambda call: str(call[0]))
def test_rules_say_what_the_operation_says(call):
    operation, args, *rest = call
    options = rest[0] if rest else {"upper": False} if operation is _SOLVE else {}
    expected, found = operation(*args, **options), _OWN[operation](*args, **options)
    if isinstance(expected, tuple):
        expected, found = expected[0], found[0]
    assert found.dtype == expected.dtype
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-300, equal_nan=True)


def test_every_rule_is_tried():
    assert {call[0] for call in _CALLS} == set(_OWN)


def test_a_function_that_writes_and_differentiates_is_recorded():
    data, leaf = torch.randn(5, 3), torch.nn.Parameter(torch.randn(3))

    def function(a, b):
        weights, buffer = torch.zeros(3), torch.empty(4)
        weights[1] = a.sum()
        buffer[:2].copy_(b)
        loss = torch.nn.functional.softplus(data @ (leaf + weights)).sum() * b.sigmoid().sum()
        loss = loss + buffer[:2].sum() * torch.tensor(2.0)
        (gradient,) = torch.autograd.grad(loss, [leaf])
        return {"loss": loss.detach(), "gradient": gradient}

    a, b = torch.randn(2), torch.randn(2)
    recorded = record(function, a, b)
    given = [getattr(recorded, n.target) for n in recorded.graph.find_nodes(op="get_attr")]
    assert any(one is leaf for one in given)
    assert any(one is data for one in given)
    with torch.no_grad():
        pure = torch.func.functionalize(recorded, remove="mutations")
        plain = record(pure, a, b, decompositions=decompositions())
    assert not any(n.target in _OWN for n in plain.graph.nodes)
    assert not any(
        getattr(n.target, "_schema", None) and n.target._schema.is_mutable
        for n in plain.graph.nodes
    )
    elsewhere = torch.randn(2), torch.randn(2)
    for graph in (recorded, plain):
        torch.testing.assert_close(graph(*elsewhere), function(*elsewhere))


def test_transforms_are_seen_through():
    def function(x):
        return (x.sin() * x).sum()

    batched = record(torch.func.vmap(torch.func.grad(function)), torch.randn(7, 3))
    x = torch.randn(7, 3)
    torch.testing.assert_close(batched(x), x.cos() * x + x.sin())


def test_an_argument_given_twice_stays_two():
    recorded = record(torch.sub, *[torch.ones(2)] * 2)
    assert recorded(torch.full((2,), 5.0), torch.ones(2)).tolist() == [4.0, 4.0]


@pytest.mark.parametrize("read", [lambda x: x * float(x.sum()), lambda x: x if x.sum() > 0 else -x])
def test_numbers_read_in_python_are_refused(read):
    with pytest.raises(Unrecordable, match="branches on values"):
        record(read, torch.ones(3))


def test_a_fit_does_not_import_the_compiler_of_torch():
    script = """
import sys, torch, pyro, pyro.distributions as dist, autoguide_core as ag
def model(y):
    scale = pyro.sample("scale", dist.HalfNormal(1.0))
    with pyro.plate("N", 3):
        pyro.sample("y", dist.Normal(0.0, scale), obs=y)
settings = ag.FitSettings(steps=400, method="adam", engine="graph")
result = ag.fit(model, ag.AutoNormal(model), (torch.ones(3),), settings=settings)
assert result.engine == "graph", result
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True)
