"""Signals end a command at any moment, with their exit code and nothing half-written left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_helpers import GOOD, write

ROOT = Path(__file__).parents[2]

LOST = """
import ctypes, os, signal, sys, time, weakref
from compiler.cli import signals

class Thing:
    def __del__(self):
        come()

def come(*_):
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
    time.sleep(0.2)

def going_on():
    for _ in range(500):
        time.sleep(0.01)
    print("went on")

def at_once():
    come()

def excepted():
    try:
        come()
    except:
        pass
    going_on()

def deleted():
    thing = Thing()
    del thing
    going_on()

def called_from_c():
    ctypes.CFUNCTYPE(None)(come)()
    going_on()

def weak():
    thing = Thing.__base__.__new__(type("Other", (), {}))
    reference = weakref.ref(thing, come)
    del thing
    going_on()

def made_another():
    try:
        come()
    except BaseException as error:
        raise ValueError("made of it") from error

def kept_for_long():
    try:
        come()
    except BaseException as error:
        signals.kept = error

def at_the_end():
    kept_for_long()
    raise SystemExit(3)

signals.run(globals()[sys.argv[1]])
"""


def ended(code: str, *arguments: object, **options: object) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        # A shell that runs the tests in the background has them ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,  # type: ignore[call-overload]
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def known_compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is known of the compiler, found out once for all tests."""
    from autoguide_core.engine.native.toolchain import CompilerUnavailable, find_toolchain

    memory = tmp_path_factory.mktemp("compiler")
    try:
        find_toolchain(memory)
    except CompilerUnavailable as error:
        pytest.skip(str(error))
    return next(memory.glob("compiler-*.json"))


@pytest.mark.parametrize(
    "lost",
    [
        *("at_once", "excepted", "deleted", "called_from_c", "weak", "made_another"),
        *("kept_for_long", "at_the_end"),
    ],
)
def test_a_signal_that_somebody_drops_comes_again(lost: str) -> None:
    name = "SIGINT" if lost != "deleted" else "SIGTERM"
    code, output = ended(LOST, lost, name)
    assert (code, output) == ((130, "interrupted\n") if name == "SIGINT" else (143, ""))


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As SIGHUP is under nohup, and SIGINT in the background of a script."""
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + LOST
    code, output = ended(ignoring, "at_once", "SIGHUP")
    assert (code, output) == (0, "")


SERVER = """
import atexit, functools, json, os, signal, sys
from importlib import import_module
import compiler.cli, compiler.run.fit, compiler.run.show, compiler.report, h5netcdf, torch
torch.set_num_threads(1)

def at(moment, number):
    name, about, count = (*moment, 1)[:3]
    def now(*arguments):
        nonlocal count
        if about in str(arguments):
            count -= 1
            if not count:
                os.kill(os.getpid(), number)
    if ":" not in name:
        sys.addaudithook(lambda event, arguments: now(arguments) if event == name else None)
        return
    module, _, path = name.partition(":")
    *owners, last = path.split(".")
    owner = functools.reduce(getattr, owners, import_module(module))
    usual = getattr(owner, last)
    setattr(owner, last, lambda *args, **options: (now(), usual(*args, **options))[1])

for line in sys.stdin:
    told = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(told["folder"])
        os.dup2(os.open("output", os.O_WRONLY | os.O_CREAT), 1)
        os.dup2(1, 2)
        os.environ |= told["environment"]
        sys.argv[1:] = told["arguments"]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        at(told["moment"], getattr(signal, told["signal"]))
        code = 99
        try:
            compiler.cli.compile_and_fit_main()
        except SystemExit as end:
            code = end.code or 0
            atexit._run_exitfuncs()
            sys.stdout.flush()
        finally:
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Runs commands in forks of a process that has imported all, each with a signal at its moment."""

SIGNALS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}

MOMENTS = {
    "reading the spec": (["open", "spec.ppl"], []),
    "reading the data": (["open", "data.csv"], []),
    "making the hidden folder": (["os.mkdir", ".fit-"], []),
    "evaluating the model": (["pyro.distributions:Normal.log_prob", "", 3], []),
    "trying the compiler": (["subprocess.Popen", "trial"], ["native"]),
    "compiling": (["subprocess.Popen", ".cpp"], ["native", "tried"]),
    "keeping the library": (["os.rename", ".json"], ["native", "tried"]),
    "stepping": (["autoguide_core.engine.stepping.pace:Pace.next", "", 3], ["again"]),
    "annealing": (["autoguide_core.annealing.moves:Mover.move", "", 2], ["annealing"]),
    "drawing": (["compiler.run.job:Job.draw", ""], []),
    "predicting": (["compiler.run.predictive:Predictor.replicates", ""], ["again"]),
    "writing": (["open", "summary.json"], []),
    "writing NetCDF": (["open", "posterior.nc"], ["again"]),
    "moving all into place": (["os.rename", ".fit-"], []),
    "moving one file into place": (["os.rename", "summary.json"], ["again"]),
    "showing": (["compiler.run.show:show_fit", ""], []),
}
"""An event of Python's audit with what it is about, or a function, and which time; how to fit."""

QUICK = ["--steps", "100", "--draws", "50", "--engine", "eager"]

OPTIONS = {
    "native": ["--engine", "native"],
    "annealing": ["--correction", "annealing"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        yield process


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_at_any_moment(
    server: subprocess.Popen[str],
    known_compiler: Path,
    tmp_path: Path,
    moment: str,
) -> None:
    at, how = MOMENTS[moment]
    number = list(SIGNALS)[list(MOMENTS).index(moment) % 3]
    work, cache, temporary = places = [tmp_path / name for name in ("work", "cache", "temporary")]
    for place in places:
        place.mkdir(mode=0o700)
    if "tried" in how:
        (cache / known_compiler.name).write_bytes(known_compiler.read_bytes())
    if "again" in how:
        (work / "fit").mkdir()
        (work / "fit" / "settings.json").write_text('{"written_by": "pplc"}')
    write(work / "spec.ppl", GOOD.replace("AutoNormal", "AutoMultivariateNormal"))
    (work / "data.csv").write_text("x,y\n" + "".join(f"{i},{i % 3}\n" for i in range(9)))
    options = [word for kind in how for word in OPTIONS.get(kind, ())]
    told = {
        "moment": at,
        "signal": number,
        "folder": str(work),
        "arguments": ["spec.ppl", "--data", "data.csv", "--out", "fit", *QUICK, *options],
        "environment": {
            "PPLC_CACHE_DIR": str(cache),
            "TMPDIR": str(temporary),
            "PPLC_COMPILER": "" if "native" in how else "none",
        },
    }
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(told) + "\n")
    server.stdin.flush()
    code, output = int(server.stdout.readline()), (work / "output").read_text()
    assert code == SIGNALS[number], output
    assert "Traceback" not in output
    assert "rror" not in output
    assert output.endswith("interrupted\n") == (number == "SIGINT")
    assert list(temporary.iterdir()) == []
    left = {path.name for path in cache.iterdir() if not path.name.startswith("compiler-")}
    assert all(name.count(".") == 1 and not name.endswith(".lock") for name in left), left
    assert {path.name for path in work.rglob(".*")} <= {".pplc.json"}
    written = {path.name for path in (work / "fit").iterdir()} if (work / "fit").exists() else set()
    assert written in (WHOLE, WHOLE | {"settings-2.json"}, {"settings.json"} & written)


WHOLE = {
    *(".pplc.json", "chosen.ppl", "ir.json", "module.py", "posterior.nc", "settings.json"),
    *("spec.ppl", "summary.json"),
}


IMPORTS = {
    "of click": ("click", 0, "SIGINT"),
    "of torch": ("torch", 0, "SIGTERM"),
    "of what torch imports": ("torch", 100, "SIGHUP"),
    "of pyro": ("pyro", 0, "SIGINT"),
}
"""A package, how many more imports after the start of its own, and the signal that comes then."""


@pytest.mark.parametrize("moment", IMPORTS)
def test_a_signal_during_imports(moment: str, tmp_path: Path) -> None:
    package, more, number = IMPORTS[moment]
    code = (
        "import os, signal, sys, compiler.cli\n"
        "left = None\n"
        "def watch(event, told):\n"
        "    global left\n"
        "    if event == 'import':\n"
        "        if left is not None:\n"
        "            left -= 1\n"
        f"        elif told[0] == {package!r}:\n"
        f"            left = {more}\n"
        "        if left == 0:\n"
        f"            os.kill(os.getpid(), signal.{number})\n"
        "sys.addaudithook(watch)\n"
        "compiler.cli.compile_and_fit_main()\n"
    )
    spec = write(tmp_path / "spec.ppl", GOOD)
    code, output = ended(code, spec, "--data", tmp_path / "data.csv", "--out", tmp_path / "fit")
    assert code == SIGNALS[number]  # though it may have found the data missing first
    assert "Traceback" not in output
    assert os.listdir(tmp_path) == ["spec.ppl"]


IMPORTING = """
import math, os, signal, sys, time
from autoguide_core.engine.interrupts import Interrupts
from compiler.cli import signals
signals._PATIENCE = 0.1

def command():
    sys.path.insert(0, sys.argv[1])
    import module
    with Interrupts(patience=math.inf):
        time.sleep(0.1)
        print("whole")
    for _ in range(500):
        time.sleep(0.01)
    print("went on")

signals.run(command)
"""


def test_a_signal_waits_for_the_end_of_an_import(tmp_path: Path) -> None:
    """And for that of what comes next, if signals are held there.

    An extension module may abort the process where an exception comes out of its import.
    """
    (tmp_path / "module.py").write_text(
        "import os, signal, time\n"
        "os.kill(os.getpid(), signal.SIGHUP)\n"
        "time.sleep(0.1)\n"
        "print('imported')\n"
    )
    assert ended(IMPORTING, tmp_path) == (129, "imported\nwhole\n")


def test_a_second_signal_ends_an_import(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(
        "import os, signal, time\n"
        "for _ in range(2):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(0.3)\n"
        "time.sleep(60)\n"
    )
    assert ended(IMPORTING, tmp_path, timeout=30) == (130, "interrupted\n")
