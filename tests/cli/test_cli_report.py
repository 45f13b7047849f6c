"""`--report` and `pplc report`."""

from pathlib import Path

import pytest
from cli_helpers import run, write

SPEC = """\
data {
  dim obs
  y[obs] : real
}
model coin {
  mu ~ Normal(0, 5)
  plate obs { y ~ Normal(mu, 1) }
}
fit {
  steps = 40
  draws = 50
  method = "adam"
}
"""


def test_the_report_of_a_fit_and_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "coin.ppl", SPEC)
    (tmp_path / "data.json").write_text('{"y": [1.0, 2.0, 3.0]}')
    monkeypatch.chdir(tmp_path)
    fitted = run("fit", "coin.ppl", "--data", "data.json", "--report", "--quiet")
    assert fitted.exit_code == 0, fitted.stderr
    first = Path("coin-fit/report.html").read_text(encoding="utf-8")
    again = run("report", "coin-fit", "-o", "again.html")
    assert again.exit_code == 0, again.stderr
    assert "again.html" in again.stdout
    assert Path("again.html").read_text(encoding="utf-8") == first
    assert run("fit", "coin.ppl", "--data", "data.json", "--quiet").exit_code == 0
    assert not Path("coin-fit/report.html").exists()
    assert run("report", "coin-fit").exit_code == 0
    assert Path("coin-fit/report.html").exists()


def test_a_folder_of_other_things(tmp_path: Path) -> None:
    result = run("report", str(tmp_path))
    assert result.exit_code == 1
    assert "PPL098" in result.stderr
    (tmp_path / "settings.json").write_text('{"written_by": "pplc"}')
    broken = run("report", str(tmp_path))
    assert broken.exit_code == 1
    assert "cannot be read" in broken.stderr
