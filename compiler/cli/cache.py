"""`pplc cache`: looks at the compiled code that fits have left on this machine, and clears it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from compiler.cli.guard import Guarded
from compiler.diagnostics.paint import printable

if TYPE_CHECKING:
    from autoguide_core.engine.native.cache import Cache, Entry

_DAY = 86_400.0
_SHORT = 10
"""Characters of a key that are shown; they are enough to name an entry."""
_AGES = ((_DAY, "d"), (3600.0, "h"), (60.0, "min"))


class _Group(Guarded, click.Group):
    """A group whose bare name lists."""

    command_class = Guarded


_form = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text is for people, json for programs.",
)


@click.group(
    "cache",
    cls=_Group,
    examples=(
        "pplc cache",
        "pplc cache show 3f9a0c",
        "pplc cache clear --older-than 30",
    ),
    invoke_without_command=True,
    short_help="List, show or clear the compiled code kept on this machine.",
)
@click.pass_context
def command(context: click.Context) -> None:
    """List, show or clear the compiled code that is kept on this machine.

    A fit is compiled to native code, which is kept so that the next fit of the same model starts
    at once. Clearing is always safe: what is needed is compiled anew.
    """
    if context.invoked_subcommand is None:
        context.invoke(_list, form="text")


@command.command("list", examples=("pplc cache list --format json",))
@_form
def _list(form: str) -> None:
    """List what is kept, the last used first; `pplc cache` alone does so, too."""
    cache = _opened()
    entries = cache.entries()
    if form == "json":
        click.echo(json.dumps(_as_json(cache, entries), indent=2))
        return
    if entries:
        _show_table(entries)
    total = _bytes(sum(entry.size for entry in entries))
    count = "nothing is kept" if not entries else f"{len(entries)} kept, {total}"
    click.echo(f"{count} (at most {_bytes(cache.limit)}) in {cache.folder}")


@command.command("path", examples=("du -sh $(pplc cache path)",))
def _path() -> None:
    """Print the folder; it is made by the first fit."""
    click.echo(_opened().folder)


@command.command("show", examples=("pplc cache show 3f9a0c",))
@click.argument("key", metavar="KEY")
def _show(key: str) -> None:
    """Print the C++ source of an entry, and what was found wrong with it, if anything.

    KEY is the key that the list shows, or any beginning of it that no other entry shares.
    """
    from autoguide_core.engine.native import evidence

    cache = _opened()
    found = [entry.key for entry in cache.entries() if entry.key.startswith(key.lower())]
    if len(found) != 1:
        what = f"{len(found)} entries begin" if found else "No entry begins"
        raise click.UsageError(f"{what} with {key!r}; `pplc cache` lists them all.")
    click.echo(cache.path(found[0], ".cpp").read_text(encoding="utf-8"), nl=False)
    for told in evidence.wrong(cache.path(found[0], ".json")):
        click.echo(f"// wrong: {printable(json.dumps(told, sort_keys=True))}")


@command.command("clear", examples=("pplc cache clear", "pplc cache clear --older-than 30"))
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Remove only what was not used for this many days.",
)
def _clear(days: float | None) -> None:
    """Remove what is kept; fits that run do not mind."""
    cache = _opened()
    count, freed = cache.clear((days or 0.0) * _DAY)
    click.echo(f"removed {count} of {cache.folder}, {_bytes(freed)} freed")


def _opened() -> Cache:
    """Return the configured cache, which may be a folder that is missing; warn if fits avoid it."""
    from autoguide_core.engine.native.cache import Cache
    from autoguide_core.engine.native.folder import (
        configured_folder,
        configured_limit,
        why_unusable,
    )

    try:
        folder = configured_folder()
    except RuntimeError:
        raise click.UsageError("There is no home folder; set PPLC_CACHE_DIR.") from None
    limit, note = configured_limit()
    problem = why_unusable(folder) if folder.exists() else ""
    for warning in filter(None, (f"{problem}; fits do not use it." if problem else "", note)):
        click.echo(warning, err=True)
    return Cache(folder, limit)


def _show_table(entries: list[Entry]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    table.add_column("key", no_wrap=True)
    table.add_column("title", overflow="fold")
    table.add_column("kind")
    for name in ("size", "made", "last used", "compiled in"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in entries:
        cells = (
            entry.key[:_SHORT],
            printable(entry.title),
            printable(entry.kind) + ", wrong" * (entry.proof == "failed"),
            _bytes(entry.size),
            _age(entry.created),
            _age(entry.used),
            f"{entry.seconds:.1f} s",
        )
        table.add_row(*map(Text, cells))
    Console().print(table)


def _as_json(cache: Cache, entries: list[Entry]) -> dict[str, Any]:
    return {
        "version": 1,
        "folder": str(cache.folder),
        "limit": cache.limit,
        "total": sum(entry.size for entry in entries),
        "entries": [
            {
                "key": entry.key,
                "title": entry.title,
                "kind": entry.kind,
                "size": entry.size,
                "created": _iso(entry.created),
                "used": _iso(entry.used),
                "seconds": round(entry.seconds, 3),
                "compiler": entry.compiler,
                "proof": entry.proof or None,
            }
            for entry in entries
        ],
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _age(since: float) -> str:
    """Return how long ago a time was, in its largest whole unit."""
    seconds = time.time() - since
    for length, unit in _AGES:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return "just now"


def _bytes(count: int) -> str:
    """Return a number of bytes as people read it: 812 B, 45 kB, 1.2 MB."""
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            size = count / 10**power
            return f"{size:.1f} {unit}" if size < 10 else f"{size:.0f} {unit}"
    return f"{count} B"
