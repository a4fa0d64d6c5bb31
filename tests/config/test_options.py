"""Options and sections that do not exist, or not there, are mistakes; so are values no option takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from logtrigger.config.options import DAEMON, OVERRIDE, RULE, SECTIONS, SOURCE, DaemonOptions, RuleOptions

GOOD = "config rule\n option name a\n option pattern 'x'\n option script /bin/sh\n"


def test_defaults_are_what_the_documentation_says() -> None:
    daemon = DaemonOptions()
    assert (daemon.script_timeout, daemon.script_parallel, daemon.max_keys) == (60.0, 8, 100_000)
    assert (daemon.max_line, daemon.late, daemon.state) == (1 << 20, 86_400.0, None)
    rule = RuleOptions()
    assert (rule.enabled, rule.maxfail, rule.time, rule.weight, rule.suppress) == (True, 1, None, 1, 0.0)


@pytest.mark.parametrize("options", [DAEMON, RULE, OVERRIDE, SOURCE])
def test_every_option_has_its_help(options: dict[str, object]) -> None:
    assert all(getattr(spec, "help", "") for spec in options.values())


def test_option_names_are_those_of_the_sections() -> None:
    assert "except" in RULE and "excepts" not in RULE
    assert "rule" in SECTIONS["override"] and "name" not in SECTIONS["override"]
    assert not {"name", "pattern", "fields"} & SECTIONS["defaults"].keys()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + " option maxfial 5", "rules.conf:5: error: unknown option 'maxfial' (did you mean 'maxfail'?)"),
        (
            "config daemon",
            "rules.conf:1: error: unknown section 'daemon'"
            " (there are logtrigger, defaults, rule, override, source, firewall, action, dataset and event)",
        ),
        ("config rules\n option x 1", "rules.conf:1: error: unknown section 'rules' (did you mean 'rule'?)"),
        (
            "config logtrigger\n option maxfail 5",
            "rules.conf:2: error: 'maxfail' cannot stand in 'config logtrigger'"
            " (it belongs into 'config defaults', 'config rule' or 'config override')",
        ),
        (
            "config logtrigger\n option zebra 5",
            "rules.conf:2: error: unknown option 'zebra' ('config logtrigger' knows"
            " state, state_copy, control, control_group, use, include, ignore, ignore_file, ignore_command, geoip,"
            " home_country, script_timeout, script_parallel, max_keys,"
            " max_line, late, metrics, on_start, on_stop, on_ban, on_unban and on_rule_silent)",
        ),
        (
            "config defaults\n option pattern x",
            "rules.conf:2: error: 'pattern' cannot stand in 'config defaults'"
            " (every rule has its own: write it into 'config rule')",
        ),
        (
            GOOD + "config override\n option rule a\n option name b",
            "rules.conf:7: error: 'name' cannot stand in 'config override' (a name stays: the rule is found by it)",
        ),
        (
            GOOD + " option time never",
            "rules.conf:5: error: 'time' cannot be 'never' (write a time such as 90s, 10m or 2h)",
        ),
        (
            "config logtrigger\n list home_country 'FI Sweden'",
            "rules.conf:2: error: 'home_country' cannot be 'FI Sweden'"
            " (Sweden is none: write countries as two letters of ISO 3166 each, such as FI SE)",
        ),
        (
            "config logtrigger\n list home_country uk",
            "rules.conf:2: error: 'home_country' cannot be 'uk' (the code of the United Kingdom is GB)",
        ),
        (GOOD + " list maxfail 5", "rules.conf:5: error: 'maxfail' takes one value (write: option maxfail 'value')"),
        (
            GOOD + " option when 'user\nx'",
            "rules.conf:5: error: 'when' holds a line break or control (is a quote left open?)",
        ),
        (
            GOOD + " list ignore 10.0.0.0/8\n list ignore 10.0.0.1/8",
            "rules.conf:6: error: 'ignore' cannot be '10.0.0.1/8' (write 10.0.0.0/8)",
        ),
    ],
)
def test_mistake(complaints: Callable[[str], list[str]], text: str, said: str) -> None:
    assert complaints(text) == [said]


def test_bad_default_is_named_once_and_without_rules_too(complaints: Callable[[str], list[str]]) -> None:
    said = ["rules.conf:2: error: 'maxfail' cannot be 'x' (write a whole number from 1 to 999999999)"]
    assert complaints("config defaults\n option maxfail x\n") == said
    assert complaints("config defaults\n option maxfail x\n" + GOOD + GOOD.replace("name a", "name b")) == said
