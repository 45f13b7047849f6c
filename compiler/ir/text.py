"""Programs as JSON, and back: whatever the depth of their expressions.

Neither pydantic's own writer nor its own parser of JSON takes values that nest as deep as a spec's
expressions may, which is up to `grammar.depth.MAX_OPERATIONS` times two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from compiler.ir.program import Program
from grammar.depth import make_room


class NoProgramError(ValueError):
    """A text that is no program: the message says where, and why."""


def to_json(program: Program) -> str:
    """Return a program as indented JSON."""
    return json.dumps(_plain(program), indent=2, ensure_ascii=False)


def from_json(text: str) -> Program:
    """Return the program that `to_json` wrote.

    Raises:
        NoProgramError: The text is not of that form, or not of this version.
    """
    make_room()
    try:
        return Program.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"][:12])) or "the file"
        raise NoProgramError(f"{place}: {first['msg'].lower()}") from None
    except RecursionError:
        raise NoProgramError("it nests too deeply") from None
    except (ValueError, OverflowError) as error:
        raise NoProgramError(f"the file: {str(error)[:200]}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value
