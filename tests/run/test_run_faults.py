"""What can go wrong with a fit: each a diagnostic, and nothing half-written."""

from __future__ import annotations

import json
import os
import sys

import arviz
import numpy as np
import pytest
import torch
import xarray as xr
from run_helpers import EIGHT_SCHOOLS, QUICK, SCHOOLS

import pplc
from compiler.run import compile_and_fit
from compiler.run.output import write_netcdf

CALLABLE = EIGHT_SCHOOLS.split("guide quick")[0] + (
    'guide {\n  part rest = AutoNormal(theta)\n  part own = callable "{path}" for (mu, tau)\n}}\n'
)


def faults(run):
    with pytest.raises(pplc.SpecError) as caught:
        run()
    return [f"{d.code} {d.message} ({d.remedy})" for d in caught.value.diagnostics]


def fit_faults(text=EIGHT_SCHOOLS, data=SCHOOLS, **options):
    return faults(lambda: pplc.loads(text).fit(data, **(QUICK | options)))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has cuda")
def test_a_device_that_is_not_there():
    assert fit_faults(device="cuda") == [
        "PPL081 device 'cuda' cannot be used: this machine has no cuda (use cpu)"
    ]
    assert "PPL081 device 'gpu'" in fit_faults(device="gpu")[0]


def test_settings_are_all_told_at_once():
    found = fit_faults(dtype="float16", guide="quik", steps=0)
    assert [f[:6] for f in found] == ["PPL010", "PPL081", "PPL081"]
    assert "did you mean 'quick'?" in found[0]
    assert "steps must be at least 1" in " ".join(found)
    assert "draws is 1" in fit_faults(draws=1)[0]
    assert "PPL081" in fit_faults(wrong_setting=3)[0]


def test_a_model_without_latents():
    assert (
        "nothing to fit"
        in fit_faults(
            "data { dim o\n y[o] : real }\nmodel m {\n plate o { y ~ Normal(0, 1) }\n}", {"y": [1]}
        )[0]
    )


def test_what_emitted_code_raises_is_told_at_its_line():
    text = """\
data { dim o
  X[o, o] : real }
model m {
  b ~ Normal(0, 1)
  L = cholesky(X)
  factor f = b * sum(L) - b ** 2
}
"""
    spec = pplc.loads(text)
    with pytest.raises(pplc.SpecError) as caught:
        spec.fit({"X": [[1.0, 2.0], [2.0, 1.0]]}, **QUICK)
    (told,) = caught.value.diagnostics
    assert told.code == "PPL097"
    assert "cholesky" in told.message
    assert "Trace Shapes" not in told.message
    assert told.span is not None
    assert told.span.line == 5


def test_an_index_beyond_its_dim_is_told_in_the_spec_s_words():
    text = """\
data { dim o
  dim g = 3
  i[o] : index(g)
  y[o] : real }
model m {
  plate g { a ~ Normal(0, 1) }
  plate o { y ~ Normal(a[i + 1], 1) }
}
"""
    assert fit_faults(text, {"i": [0, 1, 2], "y": [1.0, 2.0, 3.0]}) == [
        "PPL099 the fit failed: an index is 3 where there are 3 entries (correct the index: it "
        "runs from 0 to 2, also where its data count from 1)"
    ]


def test_data_that_do_not_fit_are_told():
    assert fit_faults(data={**SCHOOLS, "sigma": [1, 2, -3, 4]})[0].startswith("PPL093")


def test_a_density_that_is_not_finite_is_told_at_its_site():
    text = """\
data { dim obs
  y[obs] : real }
model m {
  mu ~ Normal(0, 1)
  plate obs { y ~ Normal(mu, 1) }
  factor tilt = log(sum(y))
}
"""
    spec = pplc.loads(text)
    with pytest.raises(pplc.SpecError) as caught:
        spec.fit({"y": [1.0, -2.0]}, **QUICK)
    (told,) = caught.value.diagnostics
    assert told.code == "PPL097"
    assert told.span is not None
    assert text[told.span.start : told.span.end].startswith("factor tilt")


class TestCallables:
    def spec(self, tmp_path, path="own_guides:local"):
        (tmp_path / "own_guides.py").write_text(
            "import pyro, pyro.distributions as dist, torch\n"
            "number = 3\n"
            "def local(*args, **kwargs):\n"
            "    loc = pyro.param('loc', torch.tensor(0.0))\n"
            "    pyro.sample('mu', dist.Normal(loc, 1.0))\n"
            "    pyro.sample('tau', dist.LogNormal(loc, 1.0))\n"
            "def broken(*args, **kwargs):\n"
            "    raise ValueError('of my own')\n"
        )
        file = tmp_path / "schools.ppl"
        file.write_text(CALLABLE.replace("{path}", path).replace("}}", "}"))
        return file

    @pytest.fixture(autouse=True)
    def _forget(self, monkeypatch):
        import sys

        yield
        sys.modules.pop("own_guides", None)

    def test_they_need_leave(self, tmp_path):
        spec = pplc.load(self.spec(tmp_path))
        (fault,) = faults(lambda: spec.fit(SCHOOLS, **QUICK))
        assert fault.startswith("PPL083 the spec calls Python code: 'own_guides:local'")

    def test_with_leave_they_run(self, tmp_path):
        spec = pplc.load(self.spec(tmp_path))
        fit = spec.fit(SCHOOLS, allow_callables=True, **QUICK)
        assert fit.idata.posterior["theta"].shape == (1, 50, 4)

    def test_its_own_errors_are_told_with_its_own_line(self, tmp_path):
        spec = pplc.load(self.spec(tmp_path, "own_guides:broken"))
        (fault,) = faults(lambda: spec.fit(SCHOOLS, allow_callables=True, **QUICK))
        assert "ValueError: of my own" in fault
        assert "own_guides.py, line 8" in fault

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("no_such_module:f", "ModuleNotFoundError"),
            ("own_guides:nothing", "has no 'nothing'"),
            ("own_guides:number", "is not a function"),
        ],
    )
    def test_what_cannot_be_imported_is_told(self, path, words, tmp_path):
        spec = pplc.load(self.spec(tmp_path, path))
        (fault,) = faults(lambda: spec.fit(SCHOOLS, allow_callables=True, **QUICK))
        assert fault.startswith("PPL082")
        assert words in fault


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits")
def test_a_full_disk_is_an_error_without_more_ado(tmp_path, capfd):
    """HDF5 itself prints tracebacks, and crashes at some sizes where it writes once more."""
    import resource

    draws = {"a": (("chain", "draw"), np.random.default_rng(0).normal(size=(1, 20_000)))}
    idata = arviz.InferenceData(posterior=xr.Dataset(draws), attrs={"seed": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        for size in (0, 1000, 5000, 20_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
            with pytest.raises(OSError, match="File too large"):
                write_netcdf(tmp_path / "p.nc", idata)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    write_netcdf(tmp_path / "p.nc", idata)
    read = arviz.from_netcdf(tmp_path / "p.nc")
    assert read.attrs == idata.attrs
    assert read.posterior.identical(idata.posterior)
    assert capfd.readouterr() == ("", "")


class TestOutput:
    def run(self, tmp_path, out, **options):
        spec = tmp_path / "schools.ppl"
        spec.write_text(EIGHT_SCHOOLS)
        return compile_and_fit(spec, SCHOOLS, out=out, **(QUICK | options))

    def test_the_folder_holds_everything(self, tmp_path):
        import arviz

        out = tmp_path / "deep" / "out"
        fit = self.run(tmp_path, out)
        assert fit.folder == out
        assert sorted(p.name for p in out.iterdir()) == [
            ".pplc.json",
            "chosen.ppl",
            "ir.json",
            "module.py",
            "posterior.nc",
            "settings.json",
            "spec.ppl",
            "summary.json",
        ]
        assert sorted(p.name for p in out.parent.iterdir()) == ["out"]
        read = arviz.from_netcdf(out / "posterior.nc")
        assert set(read.groups()) == set(fit.idata.groups())
        assert (read.posterior["theta"] == fit.idata.posterior["theta"]).all()
        assert list(read.posterior["school"].values) == SCHOOLS["school"]
        assert json.loads(read.attrs["settings"])["seed"] == 0
        assert (out / "module.py").read_text() == fit.source
        assert json.loads((out / "ir.json").read_text())["name"] == "eight_schools"
        summary = json.loads((out / "summary.json").read_text())
        assert summary["sites"]["theta[Choate]"]["mean"] == pytest.approx(
            fit.summary().loc["theta[Choate]", "mean"]
        )
        settings = json.loads((out / "settings.json").read_text())
        assert settings["versions"]["torch"]
        assert settings["settings"]["steps"] == 60
        assert pplc.load(out / "ir.json").program.name == "eight_schools"

    def test_an_earlier_fit_is_replaced_and_a_failed_one_leaves_it(self, tmp_path):
        out = tmp_path / "out"
        self.run(tmp_path, out, seed=1)
        (out / "notes.txt").write_text("mine")
        (out / "chosen.ppl").write_text("mine")
        fit = self.run(tmp_path, out, seed=2)
        assert (out / "notes.txt").read_text() == (out / "chosen-2.ppl").read_text() == "mine"
        assert fit.notes[-1].endswith("had been changed; it is kept as chosen-2.ppl")
        assert json.loads((out / "settings.json").read_text())["settings"]["seed"] == 2
        with pytest.raises(pplc.SpecError):
            self.run(tmp_path, out, guide="none")
        assert json.loads((out / "settings.json").read_text())["settings"]["seed"] == 2
        assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "schools.ppl"]

    def test_what_cannot_be_written_is_told_before_the_fit(self, tmp_path, monkeypatch):
        def refuse(*args, **kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("pathlib.Path.mkdir", refuse)
        monkeypatch.setattr("compiler.run.fit.fit_program", lambda *a, **k: pytest.fail("fitted"))
        (fault,) = faults(lambda: self.run(tmp_path, tmp_path / "out"))
        assert fault.startswith("PPL098")
        assert "Permission denied" in fault

    def test_a_full_disk_leaves_what_was_there(self, tmp_path, monkeypatch):
        out = tmp_path / "out"
        fit = self.run(tmp_path, out)
        monkeypatch.setattr(
            "compiler.run.output.write_json",
            lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")),
        )
        with pytest.raises(pplc.SpecError, match="No space left"):
            fit.save(out)
        assert (out / "posterior.nc").exists()
        assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "schools.ppl"]

    def test_the_default_folder(self, tmp_path, monkeypatch):
        (tmp_path / "work").mkdir()
        monkeypatch.chdir(tmp_path / "work")
        self.run(tmp_path, None)
        assert os.listdir() == ["schools-fit"]
