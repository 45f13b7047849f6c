"""Covariance functions: what their values, checked by the golden cases, do not show."""

import inspect

import pytest
import torch

from autoguide_core.functions import covariances

KERNELS = [
    covariances.squared_exponential,
    covariances.matern52,
    covariances.matern32,
    covariances.exponential_kernel,
    covariances.rational_quadratic,
    covariances.periodic_kernel,
    covariances.linear_kernel,
]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.__name__)


def numbers(kernel: object, *shape: int) -> list[torch.Tensor]:
    """Return a value for each parameter of a kernel, the length over one feature."""
    given = [p for p in inspect.signature(kernel).parameters if p not in ("x", "other")]
    return [torch.full((*shape, 1) if p == "length" else shape, 1.5) for p in given]


@every_kernel
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_can_be_factorised_whatever_the_distances(kernel, dtype) -> None:
    x = torch.linspace(0, 1, 40, dtype=dtype).unsqueeze(-1)
    x[20] = x[21]
    given = [number.to(dtype) for number in numbers(kernel)]
    assert torch.linalg.cholesky(kernel(x, *given)).isfinite().all()


@every_kernel
def test_gradients_are_finite_where_inputs_are_the_same(kernel) -> None:
    x = torch.tensor([[0.0], [0.0], [1.0]], requires_grad=True)
    given = [number.requires_grad_() for number in numbers(kernel)]
    kernel(x, *given).sum().backward()
    assert all(leaf.grad.isfinite().all() for leaf in (x, *given))


@every_kernel
def test_draws_on_the_left_are_kept_apart(kernel) -> None:
    x = torch.tensor([[0.0], [0.4], [1.0]])
    many = [n * torch.tensor([0.5, 1.0, 2.0]).reshape(3, *[1] * (n.dim() - 1))
            for n in numbers(kernel, 3)]  # fmt: skip
    whole = kernel(x, *many, other=x[:2])
    for draw in range(3):
        torch.testing.assert_close(whole[draw], kernel(x, *(n[draw] for n in many), other=x[:2]))
