"""pplc as a process: what it imports, how it ends, what it tells of a crash."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_helpers import BAD, GOOD, WARNED, write

ROOT = Path(__file__).parents[2]
MAIN = "import compiler.cli; compiler.cli.main()"


def process(
    *arguments: str, code: str = MAIN, stdin: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        input=stdin,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "SPEC"],
        ["check", "BAD"],
        ["check", "SPEC", "--format", "sarif"],
        ["fmt", "--check", "SPEC"],
        ["emit", "ast", "SPEC"],
        ["emit", "ir", "SPEC"],
        ["emit", "module", "SPEC"],
        ["explain", "PPL031"],
        ["explain"],
        ["schema"],
        ["diff", "SPEC", "SPEC"],
        ["new", "NEW"],
        ["--help"],
        ["fit", "--help"],
    ],
    ids=" ".join,
)
def test_nothing_but_a_fit_imports_the_heavy_packages(tmp_path: Path, arguments: list[str]) -> None:
    files = {
        "SPEC": write(tmp_path / "spec.ppl", GOOD),
        "BAD": write(tmp_path / "bad.ppl", BAD),
        "NEW": str(tmp_path / "new.ppl"),
    }
    code = """\
import sys
import compiler.cli
try:
    compiler.cli.main()
finally:
    heavy = {"torch", "pyro", "numpy", "pandas", "pyarrow", "arviz", "rich", "autoguide_core"}
    print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    result = process(*(files.get(word, word) for word in arguments), code=code)
    assert result.stderr.splitlines()[-1] == "[]", result.stderr


def test_check_answers_in_a_blink(tmp_path: Path) -> None:
    lines = "\n".join(f"  b{i} ~ Normal(0, {i + 1})" for i in range(95))
    means = "\n".join(f"    m{i} = {f'm{i - 1} + ' if i else ''}b{i} * x ** 2" for i in range(95))
    text = f"data {{\n  dim obs\n  x[obs] : real\n  y[obs] : real\n}}\nmodel {{\n{lines}\n"
    text += f"  plate obs {{\n{means}\n    y ~ Normal(m94, 1)\n  }}\n}}\n"
    spec = write(tmp_path / "a.ppl", text)
    assert len(text.splitlines()) >= 200
    before = _seconds_of_children()
    assert process("check", spec).returncode == 0
    assert _seconds_of_children() - before < 1.5  # some 0.35 on an idle machine; torch takes 3


def _seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_exit_codes(tmp_path: Path) -> None:
    assert process("check", write(tmp_path / "a.ppl", GOOD)).returncode == 0
    assert process("check", write(tmp_path / "b.ppl", BAD)).returncode == 1
    assert process("check").returncode == 2
    assert process().returncode == 2


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads in /proc")
def test_small_systems_of_equations_are_not_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    code = (
        "import os, compiler.cli\n"
        "compiler.cli._start()\n"
        "import scipy.optimize\n"
        "print(len(os.listdir('/proc/self/task')))\n"
    )
    assert process(code=code).stdout == "1\n"


def test_a_working_directory_that_is_removed(tmp_path: Path) -> None:
    spec = write(tmp_path / "spec.ppl", GOOD)
    (tmp_path / "gone").mkdir()
    command = f"cd {tmp_path}/gone; rmdir ../gone; {sys.executable} -c '{MAIN}' emit module {spec}"
    result = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert result.stdout.startswith('"""Model `line`')


CRASH = (
    "import compiler.cli, compiler.cli.specs\n"
    "def crash(*_, **__): raise ZeroDivisionError('oh')\n"
    "compiler.cli.specs.source = crash\n"
    "compiler.cli.main()"
)


def test_a_crash_asks_for_a_report(tmp_path: Path) -> None:
    result = process("check", "-", code=CRASH, stdin=GOOD)
    assert result.returncode == 70
    assert "pplc: internal error: ZeroDivisionError: oh" in result.stderr
    assert "not in your spec" in result.stderr
    assert "Traceback" not in result.stderr

    report = tmp_path / "report.txt"
    result = process("check", "-", code=CRASH, stdin=GOOD, PPLC_CRASH_REPORT=str(report))
    assert result.returncode == 70
    assert f"A report was written to {report}" in result.stderr
    assert "Traceback" in report.read_text()
    assert "arguments: ['check', '-']" in report.read_text()

    nowhere = str(tmp_path / "no" / "report.txt")
    result = process("check", "-", code=CRASH, stdin=GOOD, PPLC_CRASH_REPORT=nowhere)
    assert result.returncode == 70
    assert "could not be written" in result.stderr

    result = process("check", "-", code=CRASH, stdin=GOOD, PPLC_TRACEBACK="1")
    assert "Traceback" in result.stderr


def interrupted(pause: float) -> tuple[int, str]:
    """Interrupt a command that waits for its input; return its exit code and standard error."""
    running = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); " + MAIN, "check", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # A shell that runs the tests in the background has them ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stdout is not None
    running.stdout.readline()
    time.sleep(pause)
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=20)
    return running.returncode, stderr


def test_an_interrupt_is_quiet() -> None:
    # While Python still imports, an interrupt is Python's own to tell: a slow machine waits longer.
    for pause in (1.5, 5.0, 15.0):
        code, stderr = interrupted(pause)
        if code == 130:
            break
    assert code == 130
    assert "Traceback" not in stderr
    assert "interrupted" in stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -c '{MAIN}' schema | head -n 1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stderr == ""
    assert result.stdout.splitlines()[0] == "{"
    assert result.stdout.splitlines()[1] in ("141", "0")


def test_a_terminal_without_unicode_gets_escapes(tmp_path: Path) -> None:
    old, new = write(tmp_path / "a.ppl", GOOD), write(tmp_path / "b.ppl", WARNED)
    result = process("diff", old, new, PYTHONIOENCODING="latin-1")
    assert result.returncode == 0
    assert "Normal(slope * x, sigma) \\u2192 Normal(slope, sigma)" in result.stdout


def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.ppl")
    write(tmp_path / name, BAD)
    for form in ("text", "json", "sarif", "github"):
        result = process("check", str(tmp_path / name), "--format", form)
        assert result.returncode == 1, result.stderr
