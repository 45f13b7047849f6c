"""A fit from spec to posterior: what it holds, and that it can be had again."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from run_helpers import CROSSED, EIGHT_SCHOOLS, MIXTURE, QUICK, SCHOOLS

import pplc


@pytest.fixture(scope="module")
def fit():
    return pplc.loads(EIGHT_SCHOOLS, "schools.ppl").fit(
        SCHOOLS, seed=3, log_likelihood=True, **(QUICK | {"steps": 400, "draws": 400})
    )


def test_the_posterior_has_the_spec_s_names_dims_and_labels(fit):
    posterior = fit.idata.posterior
    assert set(posterior.data_vars) == {"mu", "tau", "theta"}
    assert posterior["theta"].dims == ("chain", "draw", "school")
    assert posterior["theta"].shape == (1, 400, 4)
    assert list(posterior["school"].values) == SCHOOLS["school"]
    assert float(posterior["tau"].min()) > 0


def test_all_groups(fit):
    groups = set(fit.idata.groups())
    assert groups == {
        "posterior",
        "posterior_predictive",
        "log_likelihood",
        "predictions",
        "sample_stats",
        "observed_data",
        "constant_data",
        "fit",
    }
    assert fit.idata.posterior_predictive["y"].dims == ("chain", "draw", "school")
    assert fit.idata.predictions["y_rep"].shape == (1, 400, 4)
    assert fit.idata.observed_data["y"].values.tolist() == SCHOOLS["y"]
    assert fit.idata.constant_data["sigma"].values.tolist() == SCHOOLS["sigma"]
    assert fit.idata["fit"]["elbo"].shape == (400,)
    assert np.isfinite(fit.idata.sample_stats["lp"]).all()


def test_predictions_scatter_around_the_posterior(fit):
    for group, name in (("posterior_predictive", "y"), ("predictions", "y_rep")):
        residuals = fit.idata[group][name] - fit.idata.posterior["theta"]
        scale = residuals.std(("chain", "draw")) / SCHOOLS["sigma"]
        assert np.allclose(scale, 1, atol=0.15)
        assert abs(float(residuals.mean())) < 2


def test_the_log_likelihood_is_that_of_the_draws(fit):
    sigma = np.array(SCHOOLS["sigma"], dtype=float)
    theta = fit.idata.posterior["theta"].values
    error = (np.array(SCHOOLS["y"]) - theta) / sigma
    expected = -0.5 * error**2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)
    assert np.allclose(fit.idata.log_likelihood["y"].values, expected)


def test_summary_verdict_and_record(fit):
    frame = fit.summary()
    assert list(frame.index[:3]) == ["mu", "tau", "theta[Choate]"]
    assert frame.loc["tau", "5%"] > 0
    assert len(fit.elbo) == 400
    assert fit.khat is not None
    assert fit.converged in (True, False)
    assert "k-hat" in fit.verdict[0]
    assert fit.record["settings"]["seed"] == 3
    assert len(fit.record["hashes"]["spec"]) == 64
    assert fit.idata.attrs["seed"] == 3
    assert fit.discrete_summary().empty


def test_a_fit_tells_itself_in_a_few_lines(fit):
    assert repr(fit).splitlines() == ["<Fit of eight_schools>", *fit.verdict]


def test_large_data_are_replicated_for_fewer_draws(monkeypatch):
    monkeypatch.setattr("compiler.run.job._MOST_REPLICATED_NUMBERS", 40)
    monkeypatch.setattr("compiler.run.job._LEAST_REPLICATES", 1)
    fit = pplc.loads(EIGHT_SCHOOLS).fit(SCHOOLS, **QUICK)
    assert fit.idata.posterior_predictive["y"].shape == (1, 10, 4)
    assert fit.idata.posterior["theta"].shape == (1, 50, 4)


def test_draws_that_can_be_trusted_are_reweighted():
    text = (
        "data { dim o\n y[o] : real }\nmodel m {\n mu ~ Normal(0, 1)\n"
        " plate o { y ~ Normal(mu, 1) }\n}"
    )
    data = {"y": [1.0, 2.0, 3.0]}
    options = {"steps": 500, "draws": 4000, "progress": False}
    fit, plain = (pplc.loads(text).fit(data, correction=c, **options) for c in ("weights", "none"))
    assert fit.trusted
    assert fit.posterior.correction == "weights"
    assert "re-weighted" in fit.verdict[0]
    assert plain.posterior.correction == "none"
    row = fit.summary().loc["mu"]
    assert row["mean"] == pytest.approx(1.5, abs=0.03)  # the exact posterior is Normal(1.5, 0.5)
    assert row["sd"] == pytest.approx(0.5, rel=0.04)


def test_html_is_escaped(fit):
    assert "theta[Choate]" in fit._repr_html_()
    spec = pplc.loads(
        "data { dim obs\n y[obs] : real < 3 }\nmodel m {\n mu ~ Normal(0, 1)\n"
        " plate obs { y ~ Normal(mu, 1) }\n}"
    )
    html = spec._repr_html_()
    assert "real &lt; 3" in html
    assert "<td>mu</td><td>latent</td><td>Normal</td>" in html


def test_the_same_seed_gives_the_same_numbers():
    spec = pplc.loads(EIGHT_SCHOOLS)
    first, second, other = (spec.fit(SCHOOLS, seed=seed, **QUICK) for seed in (1, 1, 2))
    for group in ("posterior", "posterior_predictive", "predictions"):
        assert first.idata[group].identical(second.idata[group]) or np.array_equal(
            first.idata[group].to_array(), second.idata[group].to_array()
        )
    assert (first.elbo == second.elbo).all()
    assert not np.array_equal(first.idata.posterior["mu"], other.idata.posterior["mu"])


def test_a_point_guide_has_no_khat():
    fit = pplc.loads(EIGHT_SCHOOLS).fit(SCHOOLS, guide="point", **QUICK)
    assert fit.khat is None
    assert "AutoDelta" in fit.verdict[0]
    assert (fit.summary()["sd"] == 0).all()
    assert fit.record["settings"]["guide"] == "point"


def test_float32():
    fit = pplc.loads(EIGHT_SCHOOLS).fit(SCHOOLS, dtype="float32", **QUICK)
    assert fit.idata.posterior["theta"].dtype == np.float32


def test_marginalised_sites_are_drawn_afterwards():
    data = {"y": [-4.0, -4.5, 4.0, 4.2, 3.9, 0.0]}
    fit = pplc.loads(MIXTURE).fit(data, **(QUICK | {"steps": 300}))
    assert fit.discrete_sites == ["z"]
    table = fit.discrete_summary()
    assert table["mode"].tolist()[:5] == [0, 0, 1, 1, 1]
    posterior = fit.idata.posterior
    chosen = np.take_along_axis(posterior["mu"].values, posterior["z"].values.astype(int), axis=-1)
    assert np.allclose(posterior["centre"].values, chosen)


def test_crossed_plates_and_minibatches():
    rng = np.random.default_rng(0)
    data = {
        "r": rng.integers(0, 3, 12).tolist(),
        "c": rng.choice(["p", "q"], 12).tolist(),
        "y": rng.normal(size=12),
    }
    fit = pplc.loads(CROSSED).fit(data, sizes={"row": 3}, **QUICK)
    posterior = fit.idata.posterior
    assert posterior["a"].dims == ("chain", "draw", "row")
    assert posterior["w"].dims == ("chain", "draw", "col", "row")
    assert posterior["w"].shape == (1, 50, 2, 3)
    assert posterior["S"].dims == ("chain", "draw", "S_dim_0", "S_dim_1")
    assert np.allclose(posterior["doubled"], 2 * posterior["b"])
    assert fit.idata.posterior_predictive["y"].shape == (1, 50, 12)
    assert list(posterior["col"].values) == ["p", "q"]


def test_a_spec_shows_what_it_becomes():
    spec = pplc.loads(EIGHT_SCHOOLS, "schools.ppl")
    assert "def model(" in spec.model_source()
    assert "def guide(" in spec.guide_source()
    assert "AutoDelta" in spec.guide_source("point")
    assert repr(spec) == "<Spec eight_schools of schools.ppl>"
    assert all(told.severity == "warning" for told in spec.check())
    assert spec.bind(SCHOOLS).sizes == {"school": 4}


def test_files_are_read_and_hashed(tmp_path):
    path = tmp_path / "schools.ppl"
    path.write_text(EIGHT_SCHOOLS)
    table = tmp_path / "data.csv"
    table.write_text("school,effect,sigma\nA,1,2\nB,3,4\n")
    fit = pplc.load(path).fit(table, mapping={"effect": "y"}, **QUICK)
    assert list(fit.record["hashes"]["data"]) == [str(table)]
    assert fit.idata.observed_data["y"].values.tolist() == [1, 3]


def test_importing_the_public_module_does_not_import_torch(tmp_path):
    import subprocess

    code = "import sys, pplc; pplc.loads(sys.argv[1]).check(); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, EIGHT_SCHOOLS], check=False)
    assert done.returncode == 0


def test_counts_of_unlike_totals_are_drawn_anew():
    spec = pplc.loads("""
data {
  dim plot
  dim species = 3
  n[plot, species] : int >= 0
}
derive {
  total = sum(n, over = species)
}
model counts {
  alpha[species] ~ Gamma(2, 1)
  plate plot { n ~ DirichletMultinomial(alpha, total_count = total) }
}
predict {
  plate plot { again ~ DirichletMultinomial(alpha, total_count = total) }
}
""")
    n = np.array([[9, 1, 0], [20, 7, 3], [2, 2, 1], [0, 0, 0]])
    fit = spec.fit({"n": n}, seed=1, **(QUICK | {"steps": 50, "draws": 200}))
    for drawn in (fit.idata.posterior_predictive["n"], fit.idata.predictions["again"]):
        assert (drawn.sum("species") == n.sum(1)).all()
        assert (drawn >= 0).all()
        assert drawn.std("draw").max() > 0
