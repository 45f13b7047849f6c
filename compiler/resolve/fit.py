"""Resolves the fit block to settings by name."""

from __future__ import annotations

from compiler.diagnostics import Diagnostics, did_you_mean
from compiler.ir.guides import OptionValue
from compiler.resolve.options import resolve_options
from compiler.tables.optimizers import FOREIGN_SETTINGS, OPTIMIZERS, SETTINGS
from grammar import nodes

FitSettings = dict[str, OptionValue | dict[str, OptionValue]]

_CODES = ("PPL080", "PPL081")


def resolve_fit(block: nodes.FitBlock | None, diagnostics: Diagnostics) -> FitSettings:
    """Return the settings that a fit block writes; the engine has defaults for all others.

    Args:
        block: The block; None where the spec has none.
        diagnostics: Where mistakes are told.

    Returns:
        The settings of `compiler.tables.optimizers.SETTINGS` by name, and of the optimizer
        `optimizer` (its name) and `optimizer_options` (by name).
    """
    if block is None:
        return {}
    plain = [option for option in block.options if not _sets_optimizer(option, diagnostics)]
    settings: FitSettings = dict(
        resolve_options(
            plain,
            SETTINGS.values(),
            diagnostics,
            owner="`fit`",
            codes=_CODES,
            foreign=FOREIGN_SETTINGS,
        )
    )
    optimizers = [option for option in block.options if option.name.text == "optimizer"]
    for extra in optimizers[1:]:
        diagnostics.report(
            "PPL080",
            extra.span,
            "`optimizer` is set twice",
            "keep one of the two",
            [("`optimizer` is set here first", optimizers[0].span)],
        )
    return settings | (_optimizer(optimizers[0].value, diagnostics) if optimizers else {})


def _sets_optimizer(option: nodes.Option, diagnostics: Diagnostics) -> bool:
    """Return whether an option is about the optimizer; tell of one that belongs inside it."""
    name = option.name.text
    owners = [row.name for row in OPTIMIZERS.values() if row.option(name) is not None]
    if name == "learning_rate":
        name, owners = "lr", list(OPTIMIZERS)
    if owners:
        diagnostics.report(
            "PPL080",
            option.name.span,
            f"`{option.name.text}` is a setting of the optimizer",
            f"write `optimizer = {owners[0]}({name} = …)`",
        )
    return bool(owners) or name == "optimizer"


def _optimizer(value: nodes.Expr, diagnostics: Diagnostics) -> FitSettings:
    match value:
        case nodes.Call(function=name):
            arguments, keywords = value.arguments, value.keywords
        case nodes.Variable(name=name):
            arguments, keywords = (), ()
        case _:
            diagnostics.report(
                "PPL081",
                value.span,
                "`optimizer` takes the name of an optimizer",
                "write `optimizer = Adam(lr = 0.01)`",
            )
            return {}
    row = OPTIMIZERS.get(name.text)
    if row is None:
        guess = did_you_mean(name.text, OPTIMIZERS)
        diagnostics.report(
            "PPL081",
            name.span,
            f"there is no optimizer `{name.text}`",
            f"did you mean `{guess}`?" if guess else f"there are {', '.join(OPTIMIZERS)}",
        )
        return {}
    if arguments:
        diagnostics.report(
            "PPL081",
            arguments[0].span,
            f"the options of {row.name} have to be named",
            f"write `{row.name}(lr = 0.01)`",
        )
    options = resolve_options(
        keywords, row.options, diagnostics, owner=row.name, codes=_CODES, foreign={"rate": "lr"}
    )
    found: FitSettings = {"optimizer": row.name}
    return found | {"optimizer_options": options} if options else found
