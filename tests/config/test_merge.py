"""Defaults stand below a rule, overrides above it, and every value keeps its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from logtrigger import config

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]

DEFAULTS = "config defaults\n option maxfail 5\n option time 10m\n option script /bin/sh\n"
RULES = (
    "config rule\n option name sshd\n option pattern 'a'\n option maxfail 3\n"
    "config rule\n option name sshd-key\n option pattern 'b'\n"
    "config rule\n option name web\n option pattern 'c'\n"
)
OVERRIDES = (
    "config override\n option rule 'sshd*'\n option maxfail 7\n option time 1h\n"
    "config override\n list rule sshd-key\n list rule web\n option maxfail 9\n"
)


def test_layers(write: Write) -> None:
    settings, _ = config.load(write("rules.conf", OVERRIDES + DEFAULTS + RULES))
    assert {rule.name: (rule.maxfail, rule.time) for rule in settings.rules} == {
        "sshd": (7, 3600.0),
        "sshd-key": (9, 3600.0),
        "web": (9, 600.0),
    }


def test_origins(write: Write) -> None:
    configuration = config.read(write("rules.conf", DEFAULTS + RULES + OVERRIDES))
    places = {name: str(option.place) for name, option in configuration.origins["sshd"].items()}
    assert places == {
        "name": "rules.conf:6",
        "pattern": "rules.conf:7",
        "maxfail": "rules.conf:17",
        "time": "rules.conf:18",
        "script": "rules.conf:4",
    }


def test_override_reaches_rules_of_later_includes(write: Write) -> None:
    write("more.conf", RULES + "config defaults\n option script /bin/sh\n")
    text = "config override\n option rule web\n option enabled 0\nconfig logtrigger\n list include more.conf\n"
    settings, _ = config.load(write("rules.conf", text))
    assert [rule.name for rule in settings.rules] == ["sshd", "sshd-key"]


def test_rule_replaces_a_list_of_defaults(write: Write) -> None:
    text = "config defaults\n list ignore 10.0.0.0/8\n option script /bin/sh\n"
    rules = "config rule\n option name a\n option pattern x\n list ignore 192.0.2.1\n"
    settings, _ = config.load(write("rules.conf", text + rules))
    assert ("10.0.0.1" in settings.rules[0].ignore, "192.0.2.1" in settings.rules[0].ignore) == (False, True)


def test_lists_of_one_section_type_join(write: Write) -> None:
    text = "config logtrigger\n list ignore 10.0.0.0/8\nconfig logtrigger\n option ignore 192.0.2.1\n"
    settings, _ = config.load(write("rules.conf", text))
    assert "10.1.1.1" in settings.ignore and "192.0.2.1" in settings.ignore


def test_option_of_two_sections(complaints: Complaints) -> None:
    assert complaints("config logtrigger\n option late 1h\nconfig logtrigger\n option late 2h\n") == [
        "rules.conf:4: error: 'late' is set at rules.conf:2 already (keep one of the two)"
    ]


def test_override_that_finds_no_rule(complaints: Complaints) -> None:
    assert complaints(DEFAULTS + RULES + "config override\n option rule 'shd'\n option maxfail 1\n") == [
        "rules.conf:16: error: no rule is called 'shd' (did you mean 'sshd'?)"
    ]


def test_override_without_rule(complaints: Complaints) -> None:
    assert complaints(DEFAULTS + RULES + "config override\n option maxfail 1\n") == [
        "rules.conf:15: error: 'rule' is missing (add: option rule 'value')"
    ]


def test_hidden_value_is_checked_all_the_same(complaints: Complaints) -> None:
    """A wrong value is a mistake even where an override puts a good one in its place."""
    text = DEFAULTS + RULES.replace("maxfail 3", "maxfail x") + OVERRIDES
    assert complaints(text) == ["rules.conf:8: error: 'maxfail' cannot be 'x' (write a whole number from 1 to 999999999)"]


TRUSTING = "config rule\n option name sshd_login\n option pattern 'in %s'\n option fields 'user ip'\n option trust 7d\n"


def test_good_logins_are_not_counted_nor_banned_as_failures_are(write: Write) -> None:
    """What defaults, or an override of all of a service, say of failures is not said of the rule that trusts."""
    defaults = "config defaults\n option maxfail 5\n option time 10m\n option ban 1h\n list widen '24/5'\n"
    override = "config override\n option rule 'sshd*'\n option maxfail 3\n option ban 2h\n option ban_factor 2\n"
    override += " list ignore 192.0.2.1\n"
    rules = TRUSTING.replace("'in %s'", "'in %s from %s'") + RULES.replace("'a'", "'a %s'\n option fields ip")
    rules = rules.replace("'b'", "'b %s'\n option fields ip").replace("'c'", "'c %s'\n option fields ip")
    settings, _ = config.load(write("rules.conf", defaults + rules + override))
    login, failed = settings.rules[0], settings.rules[1]
    assert (login.name, login.maxfail, login.ban, login.trust) == ("sshd_login", 1, None, 7 * 86_400.0)
    assert "192.0.2.1" in login.ignore
    assert failed.ban is not None and (failed.maxfail, failed.ban.seconds) == (3, 7200.0)


def test_by_its_name_it_gets_what_is_written(complaints: Complaints) -> None:
    """Then it is a mistake that somebody has made."""
    text = (
        TRUSTING.replace("'in %s'", "'in %s from %s'")
        + "config override\n option rule sshd_login\n option maxfail 3\n option time 10m\n"
    )
    assert any("'trust' with maxfail above 1" in said for said in complaints(text))
