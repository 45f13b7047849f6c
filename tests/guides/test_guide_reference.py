from pathlib import Path

import pytest

from compiler.tables import guide_reference
from compiler.tables.families import FAMILIES, FOREIGN_FAMILIES
from compiler.tables.flows import FLOWS
from compiler.tables.inits import FOREIGN_INITS, INITS
from compiler.tables.optimizers import FOREIGN_SETTINGS, OPTIMIZERS, SETTINGS


def test_pages_are_up_to_date(tmp_path: Path) -> None:
    guide_reference.write_pages(tmp_path)
    for name in ("guides.md", "fit.md"):
        written = (guide_reference.REFERENCE / name).read_text(encoding="utf-8")
        assert (tmp_path / name).read_text(encoding="utf-8") == written, (
            "run `python -m compiler.tables.guide_reference`"
        )


def test_foreign_names_lead_to_rows() -> None:
    assert set(FOREIGN_FAMILIES.values()) <= FAMILIES.keys()
    assert set(FOREIGN_INITS.values()) <= INITS.keys()
    assert set(FOREIGN_SETTINGS.values()) <= SETTINGS.keys() | {"optimizer"}


def test_defaults_are_allowed_values() -> None:
    rows = [*FAMILIES.values(), *INITS.values(), *OPTIMIZERS.values()]
    for option in [*(option for row in rows for option in row.options), *SETTINGS.values()]:
        if option.default is not None:
            assert option.accept(option.default) == option.default


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_families_are_those_of_pyro_and_of_the_core(name: str) -> None:
    import inspect

    import pyro.infer.autoguide

    import autoguide_core

    row = FAMILIES[name]
    modules = [autoguide_core, *([pyro.infer.autoguide] if row.in_pyro else [])]
    for module in modules:
        # The metaclass of Pyro's AutoGaussian hides the arguments of its class.
        signature = inspect.signature(getattr(module, name).__init__).parameters
        takes = {option.name for option in row.options} if not row.flow else {"init_transform_fn"}
        assert takes <= signature.keys()
        if row.default_init is not None:
            default = signature["init_loc_fn"].default
            start = getattr(default, "func", default)  # of init_to_mean with a fallback
            assert start.__name__ == INITS[row.default_init].function
        for option in row.options if not row.flow else ():
            if option.name != "backend":  # None stands for "dense"
                assert signature[option.name].default == option.default


@pytest.mark.parametrize("name", sorted(FLOWS))
def test_flows_are_those_of_pyro(name: str) -> None:
    import inspect

    from pyro.distributions import transforms

    factory = inspect.signature(getattr(transforms, FLOWS[name].factory)).parameters
    assert FLOWS[name].hidden == ("hidden_dims" in factory)


def test_settings_are_those_of_the_engine() -> None:
    from autoguide_core import FitSettings

    engine = FitSettings()
    for name, option in SETTINGS.items():
        if name not in ("draws", "correction"):  # of the run after the fit
            assert getattr(engine, name) == option.default
