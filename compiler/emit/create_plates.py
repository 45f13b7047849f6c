"""Emits `create_plates`, which makes the minibatched plates that the guide's latents live in."""

from __future__ import annotations

from compiler.emit.python import call
from compiler.ir.program import Program
from compiler.ir.queries import minibatches
from compiler.tables.reserved import python_name


def minibatch_name(dim: str) -> str:
    """Return the keyword argument of model and guide that holds the size of a minibatch."""
    return f"{dim}_minibatch"


def guide_plates(program: Program) -> tuple[str, ...]:
    """Return the minibatched dims that a latent lives in, in the order of the model."""
    inhabited = {plate for site in program.latents() for plate in site.plates}
    return tuple(dim for dim in minibatches(program) if dim in inhabited)


def emit_create_plates(program: Program) -> list[str]:
    """Return the lines of `create_plates`; none where no latent is in a minibatched plate.

    A guide makes the plates of its latents by itself, with the sizes of its first call. Made here
    from the model's own arguments, they follow them: another minibatch, or all of the data.
    """
    plates = guide_plates(program)
    if not plates:
        return []
    small = minibatches(program)
    defaults = [f"{minibatch_name(dim)}={small[dim]}" for dim in plates]
    signature = call("create_plates", *map(python_name, plates), *defaults, "**_")
    made = [
        call(
            "pyro.plate",
            f'"{dim}"',
            python_name(dim),
            subsample_size=minibatch_name(dim),
            dim=str(program.dim(dim).plate),
        )
        for dim in plates
    ]
    which = "plate" if len(plates) == 1 else "plates"
    lines = [
        f"def {signature}:",
        f'    """Make the minibatched {which} that latent sites live in, for model and guide."""',
    ]
    if len(made) == 1:
        return [*lines, f"    return {made[0]}"]
    names = [f"{dim}_plate" for dim in plates]
    lines += [f"    {name} = {plate}" for name, plate in zip(names, made, strict=True)]
    return [*lines, f"    return {', '.join(names)}"]
