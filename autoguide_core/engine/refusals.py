"""Which errors mean that a model cannot be evaluated at a point, where its density is then zero."""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import torch

from autoguide_core.engine.structure import reason_of

REFUSALS = (ValueError, ArithmeticError, AssertionError, torch.linalg.LinAlgError)
"""The types of such errors, whatever has raised them."""

Result = TypeVar("Result")

_DRAWS = 30
"""How often a run draws at most before its refusal counts."""

_DISTRIBUTIONS = "distributions"
_DRAWING = frozenset({"sample", "rsample"})

_PARAMETER = re.compile(
    r"Expected parameter (?P<name>\w+) .*?of distribution (?P<kind>\w+)\(.*?"
    r"to satisfy the constraint (?P<constraint>.*?), but found invalid values"
)
_VALUE = re.compile(
    r"Expected value argument .*?to be within the support \((?P<constraint>.*?)\) "
    r"of the distribution (?P<kind>\w+)\("
)
_NUMBER = re.compile(r"-?\d+(\.\d*)?(e[-+]?\d+)?")
_WORDS = (
    (r"\bGreaterThan\(lower_bound=0(\.0)?\)", "must be greater than 0"),
    (r"\bGreaterThanEq\(lower_bound=0(\.0)?\)", "must not be negative"),
    (r"\bInterval\(lower_bound=0(\.0)?, upper_bound=1(\.0)?\)", "must be between 0 and 1"),
    (r"IntegerGreaterThan\(lower_bound=0\)", "must be a whole number, not negative"),
    (r"_?Simplex", "must be probabilities with a sum of 1"),
    (r"_?Real\b", "must be a number"),
    (r"PositiveDefinite", "must be positive definite"),
    (r"LowerCholesky", "must be a lower triangle with a positive diagonal"),
)


def is_refusal(error: Exception) -> bool:
    """Whether an error speaks of the values at which a model was evaluated.

    That are invalid parameters of a distribution, failed assertions, arithmetic that cannot be
    done, matrices without a factor, and what torch says where it is to draw from an impossible
    distribution. Any other error (shapes that do not match, say) is a mistake in the model
    wherever it is evaluated.
    """
    if isinstance(error, REFUSALS):
        return True
    if not isinstance(error, RuntimeError):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return any(f.name in _DRAWING and _DISTRIBUTIONS in Path(f.filename).parts for f in frames)


@contextlib.contextmanager
def refusals_left_out() -> Iterator[None]:
    """Go on after what is inside where the model cannot be evaluated."""
    try:
        yield
    except Exception as error:
        if not is_refusal(error):
            raise


def at_a_good_draw(run: Callable[[], Result]) -> Result:
    """What a run gives that draws where the model can be evaluated: again, if need be.

    Args:
        run: Draws, and raises an error where the model cannot be evaluated.

    Raises:
        Exception: Any other error of the run, or the last of too many refusals.
    """
    for _ in range(_DRAWS - 1):
        with refusals_left_out():
            return run()
    return run()


def refused_numbers(error: Exception) -> str | None:
    """The numbers at fault as a message of torch's validation shows them; None if it shows none.

    Two errors with the same numbers are about what depends on no latent.
    """
    reason = reason_of(error)
    if not any(pattern.search(reason) for pattern in (_PARAMETER, _VALUE)):
        return None
    numbers = reason.partition("found invalid values")[2]
    return None if re.search("nan|inf", numbers) else numbers


def summary_of(error: Exception) -> str:
    """An exception's message without any tensors."""
    reason = reason_of(error)
    if found := _PARAMETER.search(reason):
        if found["kind"] == "Unit":
            return "a factor must be a number"
        return f"{found['name']} of {found['kind']} {_words(found['constraint'])}"
    if found := _VALUE.search(reason):
        return f"a value of {found['kind']} {_words(found['constraint'])}"
    reason = re.sub(r"tensor\(.*", "…", reason)
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__


def details_of(error: Exception) -> str:
    """The same with one of the numbers at fault, where there are some."""
    numbers = refused_numbers(error) or ""
    found = _NUMBER.search(numbers.partition("tensor")[2] or numbers)
    return summary_of(error) + (f", and is {float(found[0]):.4g}" if found else "")


def _words(constraint: str) -> str:
    for pattern, words in _WORDS:
        if re.search(pattern, constraint):
            return words
    return f"must satisfy {constraint}"
