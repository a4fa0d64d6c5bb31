"""What rules say of each other must fit together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import config

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]


def rule(name: str, *options: str, script: str = "/bin/sh", fields: str = "user ip") -> str:
    """A rule of at least five lines; further options follow from the sixth line on."""
    lines = [f"name '{name}'", "pattern '%s from %s'", f"fields '{fields}'", f"script {script}", *options]
    return "\n".join(["config rule", *(f" option {line}" for line in lines), ""])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            rule("a") + rule("a"),
            "7: error: a rule is called 'a' at rules.conf:2 already (give each rule a name of its own)",
        ),
        (
            rule("fail", "reset_by 'logni'") + rule("login"),
            "6: error: 'reset_by': no rule is called 'logni' (did you mean 'login'?)",
        ),
        (rule("a", "reset_by a"), "6: error: 'reset_by': rule 'a' cannot reset itself (name another rule)"),
        (
            rule("fail", "key 'user ip'", "reset_by login") + rule("login", fields="usr ip"),
            "7: error: 'reset_by': rule 'login' has no field 'user', which 'fail' is counted by"
            " (name it in the fields of 'login')",
        ),
        (
            rule("fail", "reset_by login") + rule("login", "enabled 0"),
            "6: warning: 'reset_by': rule 'login' is not enabled and resets nothing (enable it)",
        ),
        (
            rule("a", "group g", "maxfail 5") + rule("b", "group g", "maxfail 3"),
            "14: error: rules 'a' and 'b' of group 'g' differ in maxfail ('a' has 5, 'b' has 3: write the same in both)",
        ),
        (
            rule("a", "group g", "time 10m") + rule("b", "group g"),
            "8: error: rules 'a' and 'b' of group 'g' differ in time ('a' has 10m, 'b' has no limit: write the same in both)",
        ),
        (
            rule("a", "group g") + rule("b", "group g", "key 'user ip'"),
            "13: error: rules 'a' and 'b' of group 'g' differ in the number of fields in key"
            " ('a' has 1, 'b' has 2: write the same in both)",
        ),
    ],
)
def test_mistake(complaints: Complaints, text: str, said: str) -> None:
    assert complaints(text) == [f"rules.conf:{said}"]


def test_rule_that_does_nothing(complaints: Complaints) -> None:
    text = "config rule\n option name login\n option pattern 'user %s'\n option fields user\n"
    assert complaints(text) == [
        "rules.conf:1: warning: rule 'login' does nothing"
        " (add option ban or script, or list action, or name it in another rule's reset_by)"
    ]
    assert complaints(text + rule("fail", "key user", "reset_by login")) == []


def test_included_rules_that_do_nothing_are_offers(write: Write) -> None:
    """Of several rules in a file that is included, somebody may need one."""
    idle = "config rule\n option name {0}\n option pattern '{0}-line'\n"
    write("lib/rules.conf", idle.format("one") + idle.format("two"))
    said = config.load(write("rules.conf", "config logtrigger\n list include lib/rules.conf\n" + idle.format("mine")))[1]
    assert [str(one).partition(" (")[0] for one in said] == ["rules.conf:3: warning: rule 'mine' does nothing"]


def test_group_of_rules_that_agree(complaints: Complaints) -> None:
    same = ("group g", "maxfail 5", "time 1h")
    other = rule("c", "group g", "enabled 0")  # a rule that is off shares no counter
    assert complaints(rule("a", *same) + rule("b", *same, "key user") + other) == []


@pytest.mark.parametrize(
    ("reset_by", "names"),
    [
        ("option reset_by 'good login'", ("good login",)),
        ("option reset_by 'login other'", ("login", "other")),
        ("list reset_by other\n list reset_by 'good login'\n list reset_by other", ("other", "good login")),
    ],
)
def test_reset_by_names(write: Write, reset_by: str, names: tuple[str, ...]) -> None:
    """A name may hold a blank, and several names may stand in one value."""
    text = rule("fail") + f" {reset_by}\n" + rule("good login") + rule("login") + rule("other")
    settings, _ = config.load(write("rules.conf", text))
    assert settings.rules[0].reset_by == names


def test_rule_that_is_off_is_no_longer_named(write: Write) -> None:
    text = rule("fail", "reset_by login") + rule("login", "enabled 0")
    settings, _ = config.load(write("rules.conf", text))
    assert [(one.name, one.reset_by) for one in settings.rules] == [("fail", ())]
