"""Solutions of differential equations: gradients, lanes, times, and where there is no solution."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
from scipy.integrate import solve_ivp

from autoguide_core.functions import odes
from autoguide_core.functions.odes import fixed

Tensor = torch.Tensor


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


def growth(t: Tensor, z: Tensor, p: Tensor) -> Tensor:
    prey, predators = z[..., 0], z[..., 1]
    a, b, c, d = p.unbind(-1)
    return torch.stack([(a - b * predators) * prey, (d * prey - c) * predators], -1)


def driven(t: Tensor, z: Tensor, rate: Tensor, table: Tensor, power: int = 1) -> Tensor:
    return torch.sin(t) - rate * z**power + table.mean(-1)


P = torch.tensor([0.55, 0.028, 0.8, 0.024], dtype=torch.float64)
START = torch.tensor([33.0, 6.0], dtype=torch.float64)
TIMES = torch.arange(1.0, 9.0, dtype=torch.float64)


def followed(p: Tensor, start: Tensor, times: Tensor, **options: object) -> Tensor:
    return odes.solve(growth, start, 0.0, times, p, event_dims=(1, 1), **options)


@pytest.mark.parametrize("times", [TIMES, torch.tensor([0.0, 0.1, 0.1, 2.0, 7.5]).double()])
def test_values_are_those_of_scipy(times: Tensor) -> None:
    told = solve_ivp(
        lambda t, z: growth(torch.tensor(t), torch.as_tensor(z), P).numpy(),
        (0, 8), START.numpy(), t_eval=times.unique().numpy(), rtol=1e-10, atol=1e-10,
    )  # fmt: skip
    expected = torch.from_numpy(told.y.T)[times.unique(return_inverse=True)[1]]
    torch.testing.assert_close(followed(P, START, times), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["rk4", "midpoint", "dopri5"])
def test_gradients_are_those_of_the_values(method: str) -> None:
    p, start = P.clone().requires_grad_(), START.clone().requires_grad_()
    options = {"method": method} if method == "dopri5" else {"method": method, "steps": 7}
    assert torch.autograd.gradcheck(
        lambda *given: followed(*given, TIMES[:3], **options).log(),
        (p, start),
        eps=1e-7,
        atol=1e-4,
    )


def test_without_a_compiler_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def slope(t: Tensor, z: Tensor, p: Tensor) -> Tensor:  # another derivative, another solver
        return growth(t, z, p)

    def ends(derivative: object) -> list[Tensor]:
        leaf = P.expand(20, 4).clone().requires_grad_()
        z = odes.solve(derivative, START, 0.0, TIMES, leaf, event_dims=(1, 1), steps=3)
        return [z.detach(), *torch.autograd.grad(z.log().sum(), leaf)]

    compiled = ends(growth)
    monkeypatch.setattr(fixed.FixedSteps, "_for", lambda *given: None)
    for one, other in zip(compiled, ends(slope), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_lanes_broadcast_and_vmap_adds_to_them() -> None:
    rates = 0.3 + torch.rand(5, 1, 3)
    table = torch.rand(100)  # so large that lanes share it
    times = torch.rand(3, 4).cumsum(-1)  # other times in each lane
    derivative = partial(driven, power=1)

    def solve(rate: Tensor, state: Tensor) -> Tensor:
        return odes.solve(derivative, state, 0.0, times, rate, table, event_dims=(0, 0, 1))

    state = torch.rand(3)
    whole = solve(rates, state)
    assert whole.shape == (5, 1, 3, 4)
    torch.testing.assert_close(torch.func.vmap(solve, (0, None))(rates, state), whole)

    def height(rate: Tensor) -> Tensor:
        return solve(rate, state).square().sum()

    leaf = rates.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(height(leaf), leaf)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(height))(rates), slopes)


@pytest.mark.parametrize("options", [{"steps": 20}, {"method": "dopri5"}])
def test_a_lane_without_a_solution_leaves_the_others_alone(options: dict[str, object]) -> None:
    def explosion(t: Tensor, z: Tensor, rate: Tensor) -> Tensor:
        return rate * z**3

    rate = torch.tensor([-1.0, 30.0, -1.0], requires_grad=True)
    z = odes.solve(explosion, torch.tensor(1.0), 0.0, TIMES, rate, event_dims=(0, 0), **options)
    assert z[[0, 2]].isfinite().all()
    assert not z[1].isfinite().any()
    (slopes,) = torch.autograd.grad(z[[0, 2]].sum(), rate)
    assert slopes[[0, 2]].isfinite().all()


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # what torch.func does when first used
def test_forward_derivatives_and_unknown_methods_are_refused() -> None:
    with pytest.raises(NotImplementedError):
        torch.func.jacfwd(lambda p: followed(p, START, TIMES))(P)
    with pytest.raises(ValueError, match="there is no method 'rk45'"):
        followed(P, START, TIMES, method="rk45")
