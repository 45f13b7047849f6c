"""Pyro's checks are put back as they were, whoever leaves first and whoever never leaves."""

from concurrent.futures import ThreadPoolExecutor

import pyro
import pyro.distributions as dist
import pytest
import torch

from autoguide_core.validation import Validation

MADE_BEFORE = dist.HalfNormal(torch.ones(()), validate_args=True)


def seen() -> set[bool]:
    """What each part of Pyro checks now, and whether a distribution made before checks a value."""
    parts = (pyro.distributions, pyro.infer, pyro.poutine)
    try:
        MADE_BEFORE.log_prob(torch.tensor(-1.0))
    except ValueError:
        refuses = True
    else:
        refuses = False
    return {refuses, *(part.is_validation_enabled() for part in parts)}


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("outside", [True, False])
def test_the_last_of_two_threads_puts_the_checks_back(first: int, outside: bool) -> None:
    inside = [Validation(False), Validation(None)]
    with pyro.validation_enabled(outside), ThreadPoolExecutor(1) as other:
        before = seen()
        other.submit(inside[1].__enter__).result()
        inside[0].__enter__()
        assert seen() == {False}
        leave = [lambda: inside[0].__exit__(), lambda: other.submit(inside[1].__exit__).result()]
        leave[first]()
        leave[1 - first]()
        assert seen() == before


def test_a_thread_that_wants_none_is_not_checked_by_one_that_does() -> None:
    with ThreadPoolExecutor(1) as other, Validation(False):
        theirs = Validation(True)
        other.submit(theirs.__enter__).result()
        assert seen() == {False}
        other.submit(theirs.__exit__).result()
        with Validation(True):
            assert seen() == {True}
        assert seen() == {False}
    assert seen() == {True}


def test_one_that_an_interrupt_kept_from_leaving_is_forgotten() -> None:
    Validation(False).__enter__()
    assert seen() == {True}
