"""What is put into IR files: texts that would be code, numbers that would be too much."""

from typing import Any

MARK = "PWNED"
"""A name that no emitted code may read or call."""

TEXTS = (
    "PWNED()", 'x"); PWNED(); ("', "x'); PWNED(); ('", '"""\nPWNED()\n"""', "a\nPWNED()\n", "x\\",
    "x\r\nPWNED()", "x\u2028PWNED()", "{PWNED()}", "os:PWNED", "PWNED", "PWNED:PWNED", "nan",
    "__import__", "lambda: PWNED()", "x)\nPWNED()\n#", "", "é", "a[PWNED()]", "k[PWNED():]",
    "k+PWNED()", "`", "\x00", "1;PWNED()", "torch.PWNED()", "x\x0cPWNED()", "time[1:][PWNED]",
    "sum", "Normal", "k", "*", "**", "()",
)  # fmt: skip

VALUES: tuple[Any, ...] = (
    0, -1, 1, 2**63, -(2**63), 10**30, 1e308, -1e-320, True, None, 3.5, "1", [], {}, 10**400,
)  # fmt: skip

NAMES_ALLOWED = ("PWNED", "PWNED:PWNED", "os:PWNED")
"""Payloads that are well-formed names, which code may hold."""
