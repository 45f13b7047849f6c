"""The forms that data may be declared to have, each with the test for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Form:
    """A form of a vector or of a matrix.

    Attributes:
        title: What it is called in a sentence.
        axes: How many axes a value of it has.
        fault: What is wrong with a value; None if nothing is.
    """

    title: str
    axes: int
    fault: Callable[[Values], str | None]


def _simplex(vector: Values) -> str | None:
    if (vector < 0).any():
        return f"its least entry is {vector.min():.10g}"
    total = vector.sum()
    return None if abs(total - 1) < _TOLERANCE else f"its entries sum to {total:.10g}, not to 1"


def _ordered(vector: Values) -> str | None:
    falls = np.flatnonzero(np.diff(vector) <= 0)
    if not falls.size:
        return None
    at = int(falls[0])
    return f"entry {at + 2} ({vector[at + 1]:.10g}) is not above the one before ({vector[at]:.10g})"


def _positive_ordered(vector: Values) -> str | None:
    return _ordered(vector) or (
        None if vector[0] > 0 else f"its first entry is {vector[0]:.10g}, not above 0"
    )


def _unit(vector: Values) -> str | None:
    length = float(np.linalg.norm(vector))
    return None if abs(length - 1) < _TOLERANCE else f"its length is {length:.10g}, not 1"


def _one_hot(vector: Values) -> str | None:
    good = sorted(vector) == [0.0] * (len(vector) - 1) + [1.0]
    return None if good else "it is not a single 1 among zeros"


def _square(matrix: Values) -> str | None:
    rows, columns = matrix.shape
    return None if rows == columns else f"it has {rows} rows and {columns} columns"


def _positive_definite(matrix: Values) -> str | None:
    if fault := _square(matrix):
        return fault
    if not np.allclose(matrix, matrix.T, rtol=_TOLERANCE, atol=_TOLERANCE):
        i, j = (int(k) + 1 for k in np.argwhere(~np.isclose(matrix, matrix.T, _TOLERANCE))[0])
        return f"it is not symmetric: entries ({i}, {j}) and ({j}, {i}) differ"
    least = float(np.linalg.eigvalsh(matrix)[0])
    return None if least > 0 else f"its least eigenvalue is {least:.3g}"


def _corr_matrix(matrix: Values) -> str | None:
    if fault := _positive_definite(matrix):
        return fault
    unit = np.allclose(np.diag(matrix), 1, atol=_TOLERANCE)
    return None if unit else "its diagonal is not all 1"


def _lower_cholesky(matrix: Values) -> str | None:
    if fault := _square(matrix):
        return fault
    if np.triu(matrix, 1).any():
        return "it has entries above the diagonal"
    return None if (np.diag(matrix) > 0).all() else "its diagonal is not all above 0"


def _corr_cholesky(matrix: Values) -> str | None:
    if fault := _lower_cholesky(matrix):
        return fault
    unit = np.allclose(np.linalg.norm(matrix, axis=-1), 1, atol=_TOLERANCE)
    return None if unit else "its rows are not all of length 1"


FORMS = {
    "simplex": Form("simplex", 1, _simplex),
    "ordered": Form("ordered vector", 1, _ordered),
    "positive_ordered": Form("positive ordered vector", 1, _positive_ordered),
    "unit_vector": Form("unit vector", 1, _unit),
    "one_hot": Form("one-hot vector", 1, _one_hot),
    "positive_definite": Form("positive definite matrix", 2, _positive_definite),
    "corr_matrix": Form("correlation matrix", 2, _corr_matrix),
    "lower_cholesky": Form("lower Cholesky factor", 2, _lower_cholesky),
    "corr_cholesky": Form("Cholesky factor of a correlation matrix", 2, _corr_cholesky),
}
