"""The registry of diagnostics: a row a code. What each means stands in `pages/CODE.md`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Code:
    """A row of the registry.

    Attributes:
        name: The stable code.
        slug: A short name for people and for tools that want one.
        title: What it is about, as a headline.
        severity: Whether it stops the compilation.
    """

    name: str
    slug: str
    title: str
    severity: Severity = "error"


def _table(*rows: Code) -> dict[str, Code]:
    return {row.name: row for row in rows}


CODES: dict[str, Code] = _table(
    # 00x: reading and parsing the file
    Code("PPL001", "syntax", "Syntax error"),
    Code("PPL002", "unreadable-file", "The file cannot be read as a spec"),
    Code("PPL003", "not-yet", "A construct that this version does not compile yet"),
    Code("PPL004", "block-structure", "A block is missing or stands twice"),
    # 01x: names
    Code("PPL010", "undefined-name", "A name that nothing defines"),
    Code("PPL011", "duplicate-name", "A name defined twice"),
    Code("PPL012", "reserved-name", "A name that Pyro or the emitted module keeps for itself"),
    Code("PPL013", "unused-data", "Declared data that nothing uses", "warning"),
    Code("PPL014", "unused-dim", "A dim that nothing uses", "warning"),
    Code("PPL015", "unused-value", "A value that nothing uses", "warning"),
    Code("PPL016", "unknown-distribution", "A distribution that does not exist"),
    Code("PPL017", "unknown-function", "A function that does not exist"),
    Code("PPL018", "wrong-kind-of-name", "A name of another kind than the place asks for"),
    Code("PPL019", "unused-site", "A latent site that no likelihood reaches", "warning"),
    # 02x: dims and types of values
    Code("PPL020", "dims-differ", "Operands whose dims do not go together"),
    Code("PPL021", "declared-dims", "A value whose dims are not those declared"),
    Code("PPL022", "plate-twice", "A plate inside itself, or nested in two orders"),
    Code("PPL023", "index-dim", "An index into the wrong dim, or too many indices"),
    Code("PPL024", "index-type", "An index that is not declared as one"),
    Code("PPL025", "minibatch-outside", "A minibatched dim used outside its plate"),
    Code("PPL026", "argument-type", "A function's argument of the wrong kind or shape"),
    Code("PPL027", "argument-count", "A function called with the wrong arguments"),
    Code("PPL028", "plate-dim", "A plate's dim that a value needs as an axis"),
    Code("PPL029", "dim-size", "A dim whose size nothing tells, or that is not a whole number"),
    # 03x: distributions
    Code("PPL030", "distribution-arguments", "A distribution's arguments are wrong"),
    Code("PPL031", "argument-support", "An argument outside what the distribution allows"),
    Code("PPL032", "observed-support", "Data that the distribution cannot produce"),
    Code("PPL033", "declared-support", "A declared type that does not go with the distribution"),
    Code("PPL034", "bounds-order", "Bounds in the wrong order"),
    Code("PPL035", "modifier", "A modifier that does not go with the distribution"),
    Code("PPL036", "distribution-shape", "A distribution's arguments of the wrong shape"),
    Code("PPL037", "sequence-distribution", "A sequence that cannot be drawn like this"),
    Code("PPL038", "gaps", "Gaps in data that cannot be filled"),
    # 04x: structure of the model
    Code("PPL040", "use-before-definition", "A value used above the line that defines it"),
    Code("PPL041", "random-in-data", "A latent where only data is allowed"),
    Code("PPL043", "flat-unreached", "A flat prior that no likelihood reaches"),
    Code("PPL044", "no-likelihood", "A model without an observed site or factor", "warning"),
    Code("PPL045", "plate-observed-dims", "An observed site whose plates are not its dims"),
    Code("PPL046", "recursion", "A function that calls itself"),
    Code("PPL047", "predict-local", "A value of the model that is not kept for predict"),
    Code("PPL048", "no-earlier-step", "An earlier step where there is none"),
    Code("PPL049", "first-steps", "A sequence whose first steps nothing tells"),
    # 05x: discrete latents
    Code("PPL050", "discrete-uncovered", "A discrete latent that nothing handles"),
    Code("PPL051", "discrete-twice", "A discrete latent that is marginalised and in the guide"),
    Code("PPL052", "discrete-class", "A discrete distribution that cannot be enumerated"),
    Code("PPL053", "enumeration-size", "An enumeration that is too large"),
    Code("PPL054", "enumeration-plate", "A summed-out latent used outside its plates"),
    Code("PPL055", "hidden-chain", "A hidden chain that cannot be summed out"),
    Code("PPL056", "recur-structure", "A block that cannot stand inside `recur`"),
    # 06x: guides
    Code("PPL060", "guide-uncovered", "A latent that no part of the guide covers"),
    Code("PPL061", "guide-overlap", "A latent that two parts of the guide cover"),
    Code("PPL062", "guide-unknown-site", "A part over something that is not a latent site"),
    Code("PPL063", "guide-star", "More than one `*` in a guide, or one that takes nothing"),
    Code("PPL064", "unknown-family", "A guide family that does not exist"),
    Code("PPL065", "guide-option", "An option that the family does not have"),
    Code("PPL066", "guide-option-value", "An option's value is not allowed"),
    Code("PPL067", "laplace-alone", "AutoLaplaceApproximation beside other parts"),
    Code("PPL068", "minibatch-family", "A family that cannot hold minibatched latents"),
    Code("PPL069", "family-support", "A family that cannot hold this kind of site"),
    # 07x: initialisation
    Code("PPL070", "unknown-init", "An init strategy that does not exist"),
    Code("PPL071", "init-not-in-part", "An init value for a site of another part"),
    Code("PPL072", "init-shape", "An init value of the wrong shape"),
    Code("PPL073", "init-support", "An init value outside the site's support"),
    Code("PPL074", "init-refused", "Init on a family that takes none"),
    Code("PPL075", "init-noncentered", "An init value that cannot be carried to the base site"),
    Code("PPL076", "init-incomplete", "`init value` without a value for every site"),
    # 08x: fit settings, callables, and what a guide needs around it
    Code("PPL080", "fit-option", "A setting of the fit that does not exist"),
    Code("PPL081", "fit-option-value", "A setting of the fit with a wrong value"),
    Code("PPL082", "callable-path", 'A callable that is not written "module:attribute"'),
    Code("PPL083", "callable-refused", "A spec that calls Python code without leave"),
    Code("PPL084", "not-in-pyro", "A part that Pyro's own guides cannot make"),
    Code("PPL085", "part-order", "A part that follows sites of a later part"),
    Code("PPL089", "sampler", "A comparison with NUTS that cannot be made"),
    # 09x: data and output
    Code("PPL090", "data-file", "A data file that cannot be read"),
    Code("PPL091", "data-missing", "A declared variable that the data does not have"),
    Code("PPL092", "data-type", "Data of the wrong type"),
    Code("PPL093", "data-range", "Data outside its declared range"),
    Code("PPL094", "data-nan", "Gaps in data that is not declared missing"),
    Code("PPL095", "data-size", "Data whose sizes disagree"),
    Code("PPL096", "data-index", "An index out of range"),
    Code("PPL097", "log-density", "No starting point with a density"),
    Code("PPL098", "output", "An output that cannot be written"),
    Code("PPL099", "fit-failed", "The fit failed"),
)
