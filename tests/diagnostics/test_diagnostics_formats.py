"""Diagnostics as JSON, SARIF and workflow commands."""

import json
from typing import Any

from diagnostic_spans import span_of

from compiler.diagnostics import CODES, Diagnostics
from compiler.diagnostics.as_github import as_github
from compiler.diagnostics.as_json import as_json
from compiler.diagnostics.as_sarif import as_sarif

TEXT = "mu ~ A()\nmu ~ Bé()\n"


def found(path: str = "models/my spec.ppl") -> Diagnostics:
    diagnostics = Diagnostics(path, TEXT)
    diagnostics.report(
        "PPL011",
        span_of(TEXT, "mu", 1),
        "`mu` is defined twice",
        "give one another name",
        [("first here", span_of(TEXT, "mu"))],
    )
    diagnostics.report("PPL013", None, "`y` is never used")
    return diagnostics


def test_json_has_every_field() -> None:
    assert json.loads(as_json([found()])) == {
        "version": 1,
        "errors": 1,
        "warnings": 1,
        "diagnostics": [
            {
                "code": "PPL011",
                "slug": "duplicate-name",
                "severity": "error",
                "message": "`mu` is defined twice",
                "remedy": "give one another name",
                "path": "models/my spec.ppl",
                "span": {
                    "start": {"line": 2, "column": 1, "offset": 9},
                    "end": {"line": 2, "column": 3, "offset": 11},
                },
                "notes": [
                    {
                        "message": "first here",
                        "path": "models/my spec.ppl",
                        "span": {
                            "start": {"line": 1, "column": 1, "offset": 0},
                            "end": {"line": 1, "column": 3, "offset": 2},
                        },
                    }
                ],
            },
            {
                "code": "PPL013",
                "slug": "unused-data",
                "severity": "warning",
                "message": "`y` is never used",
                "remedy": None,
                "path": "models/my spec.ppl",
                "span": None,
                "notes": [],
            },
        ],
    }


def test_json_of_nothing() -> None:
    assert json.loads(as_json([])) == {
        "version": 1, "errors": 0, "warnings": 0, "diagnostics": [],
    }  # fmt: skip


def check_message(message: dict[str, Any]) -> None:
    assert isinstance(message["text"], str)
    assert message["text"]
    assert set(message) <= {"text", "markdown"}


def check_physical(location: dict[str, Any]) -> None:
    assert set(location) <= {"artifactLocation", "region"}
    assert isinstance(location["artifactLocation"]["uri"], str)
    assert " " not in location["artifactLocation"]["uri"]
    if region := location.get("region"):
        assert all(isinstance(value, int) for value in region.values())
        assert region["startLine"] >= 1
        assert region["startColumn"] >= 1
        assert (region["endLine"], region["endColumn"]) >= (
            region["startLine"],
            region["startColumn"],
        )
        assert region["charOffset"] >= 0
        assert region["charLength"] >= 0


def check_sarif(log: dict[str, Any]) -> None:
    """Check what the SARIF 2.1.0 schema requires, and the types of what is there."""
    assert log["version"] == "2.1.0"
    assert set(log) == {"$schema", "version", "runs"}
    for run in log["runs"]:
        assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
        driver = run["tool"]["driver"]
        assert isinstance(driver["name"], str)
        rules = driver["rules"]
        assert len({rule["id"] for rule in rules}) == len(rules)
        for rule in rules:
            check_message(rule["shortDescription"])
            check_message(rule["fullDescription"])
            check_message(rule["help"])
            assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
        for result in run["results"]:
            check_message(result["message"])
            assert result["level"] in ("none", "note", "warning", "error")
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            for location in result["locations"]:
                check_physical(location["physicalLocation"])
            for location in result.get("relatedLocations", []):
                assert isinstance(location["id"], int)
                check_message(location["message"])
                check_physical(location["physicalLocation"])


def test_sarif_is_valid_and_complete() -> None:
    log = json.loads(as_sarif([found(), found("b.ppl")], "0.1.0"))
    check_sarif(log)
    run = log["runs"][0]
    assert run["tool"]["driver"]["version"] == "0.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["PPL011", "PPL013"]
    first = run["results"][0]
    assert first["message"]["text"] == "`mu` is defined twice\nhelp: give one another name"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "models/my%20spec.ppl"},
        "region": {
            "startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 3,
            "charOffset": 9, "charLength": 2,
        },
    }  # fmt: skip
    assert first["relatedLocations"][0]["message"] == {"text": "first here"}
    assert len(run["results"]) == 4


def test_sarif_of_an_absolute_path_is_a_file_uri() -> None:
    log = json.loads(as_sarif([found("/tmp/a b.ppl")], "0.1.0"))
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "file:///tmp/a%20b.ppl"


def test_sarif_of_nothing_is_a_run_without_results() -> None:
    log = json.loads(as_sarif([Diagnostics("a.ppl", "")], "0.1.0"))
    check_sarif(log)
    assert log["runs"][0]["results"] == []


def test_sarif_can_tell_every_rule() -> None:
    diagnostics = Diagnostics("a.ppl", "")
    for code in CODES:
        diagnostics.report(code, None, "wrong")
    check_sarif(json.loads(as_sarif([diagnostics], "0.1.0")))


def test_github_commands_are_a_line_each() -> None:
    assert as_github([found("a,b.ppl")]).splitlines() == [
        "::error file=a%2Cb.ppl,title=pplc PPL011,line=2,col=1,endLine=2,endColumn=3"
        "::`mu` is defined twice%0Ahelp: give one another name",
        "::warning file=a%2Cb.ppl,title=pplc PPL013::`y` is never used",
    ]
