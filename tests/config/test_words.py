"""Wording that complaints share."""

from __future__ import annotations

from logtrigger.config.words import Report, listed, shown, suggestion
from logtrigger.errors import Place


def test_report_sorts_and_repeats_nothing() -> None:
    report = Report()
    report.error(Place("b", 1), "late")
    report.error(Place("a", 10), "second")
    report.error(Place("a", 9), "first")
    report.error(Place("a", 9), "first")
    report.warning(Place("a", 1), "hm")
    assert [complaint.fault for complaint in report.errors] == ["first", "second", "late"]
    assert list(map(str, report.warnings)) == ["a:1: warning: hm"]


def test_shown_text_is_one_short_line() -> None:
    assert shown("a\x1b[2J\nb") == "'a?[2J?b'"
    assert shown("x" * 100) == "'" + "x" * 60 + "…'"


def test_nothing_near_is_no_suggestion() -> None:
    assert suggestion("zebra", ["maxfail", "time"]) == ""


def test_one_word_is_listed_alone() -> None:
    assert listed(["a"]) == "a"
