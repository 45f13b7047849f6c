"""Axes of draws: Pyro's places and the spec's names."""

from __future__ import annotations

import numpy as np
import torch

from compiler.ir import Dimension, Location, Program
from compiler.run.axes import Variable, beside_plates, named_axes

PLACE = Location(start=0, end=0, line=1, column=1, end_line=1, end_column=1)
PROGRAM = Program(
    name="m",
    path="m.ppl",
    dims=tuple(
        Dimension(name=name, size=None, plate=plate, location=PLACE)
        for name, plate in (("row", -3), ("col", -2), ("cell", -1), ("pred", None))
    ),
    data=(),
    model=(),
    max_plate_nesting=3,
)
SIZES = {"row": 2, "col": 3, "cell": 4, "pred": 5}


def axes(shape, plates=(), event=()):
    values = torch.arange(np.prod(shape), dtype=torch.float64).reshape(shape)
    return values, named_axes(values, Variable("v", plates, event, False), PROGRAM, SIZES)


def test_scalars_and_events():
    assert axes((7,))[1].shape == (7,)
    assert axes((7, 5), event=("pred",))[1].shape == (7, 5)


def test_gaps_between_plates_go():
    values, named = axes((7, 2, 1, 4), ("row", "cell"))
    assert named.shape == (7, 2, 4)
    assert (named == values[:, :, 0].numpy()).all()


def test_plates_come_in_the_spec_s_order():
    values, named = axes((7, 2, 3, 1, 5), ("col", "row"), ("pred",))
    assert named.shape == (7, 3, 2, 5)
    assert (named[0, 2, 1] == values[0, 1, 2, 0].numpy()).all()


def test_values_that_do_not_vary_over_a_plate_are_spread():
    assert axes((7,), ("row",))[1].shape == (7, 2)
    assert axes((7, 1, 1), ("col",))[1].shape == (7, 3)
    values, named = axes((7, 5), ("row",), ("pred",))
    assert (named[:, 1] == values.numpy()).all()


def test_draws_move_to_the_left_of_all_plates():
    assert beside_plates(torch.zeros(7, 4, 5), 1, 3).shape == (7, 1, 1, 4, 5)
    assert beside_plates(torch.zeros(7), 0, 0).shape == (7,)
