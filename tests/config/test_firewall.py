"""`config firewall` and the options of rules that ban: what they come to, and what cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.rule import BanOptions, Escalation, FirewallOptions
from tests.config.conftest import Complaints, Write


def rule(*options: str, fields: str = "user ip") -> str:
    lines = ["name a", "pattern '%s from %s'", f"fields '{fields}'", *options]
    return "\n".join(["config rule", *(f" option {line}" for line in lines), ""])


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["ban 1h"], BanOptions(field="ip", seconds=3600.0)),
        (["ban 0"], BanOptions(field="ip", seconds=None)),
        (["ban 600", "ban_prefix4 24", "ban_prefix6 48"], BanOptions(field="ip", seconds=600.0, prefix4=24, prefix6=48)),
        (
            ["ban 1h", "ban_factor 1.5", "ban_max 30d", "ban_random 10%", "ban_decay 1d", "ban_scope rule"],
            BanOptions(
                field="ip",
                seconds=3600.0,
                escalation=Escalation(factor=1.5, longest=30 * 86_400.0, part=0.1, decay=86_400.0, per_rule=True),
            ),
        ),
        (["ban 1h", "ban_random 5m"], BanOptions(field="ip", seconds=3600.0, escalation=Escalation(extra=300.0))),
        (["ban 1h", "ban_max 30m", "ban_decay 1d"], BanOptions(field="ip", seconds=3600.0)),
        (["ban no", "script /bin/sh"], None),
        (["script /bin/sh"], None),
    ],
)
def test_what_a_rule_bans(write: Write, options: list[str], wanted: BanOptions | None) -> None:
    settings, said = config.load(write("rules.conf", rule(*options)))
    assert settings.rules[0].ban == wanted
    assert said == ()


def test_field_to_ban(write: Write) -> None:
    settings, _ = config.load(write("rules.conf", rule("ban 1h", "ban_field peer", fields="ip peer:ip")))
    assert settings.rules[0].ban == BanOptions(field="peer", seconds=3600.0)
    assert (settings.rules[0].key, settings.rules[0].counts_networks) == (("ip",), False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rule("ban soon"), "5: error: 'ban' cannot be 'soon' (write a time such as 10m, 1h or 7d, 0 for ever, or no)"),
        (
            rule("ban 1h", fields="user host"),
            "5: error: rule 'a' bans, but has no field of type ip"
            " (name a field 'ip' or give one this type, as in from:ip; or write: option ban 'no')",
        ),
        (
            rule("ban 1h", "ban_field user"),
            "6: error: 'ban_field' names 'user', which is no field of type ip (of this type: ip)",
        ),
        (
            rule("ban 1h", "ban_factor 0.5"),
            "6: error: 'ban_factor' cannot be '0.5' (write a number from 1 to 100, such as 2 or 1.5)",
        ),
        (
            rule("ban 1h", "ban_random x"),
            "6: error: 'ban_random' cannot be 'x' (write a part such as 10%, or a time such as 5m)",
        ),
        (rule("ban 1h", "ban_scope host"), "6: error: 'ban_scope' cannot be 'host' (write all or rule)"),
        (
            rule("ban 1h", "ban_factor 2", "ban_max 30m"),
            "7: error: 'ban_max' is shorter than the first ban, 'ban' (write a longer time, or a shorter 'ban')",
        ),
        (rule("ban 1h", "ban_prefix4 7"), "6: error: 'ban_prefix4' cannot be '7' (write a whole number from 8 to 32)"),
        (rule("ban 1h", "ban_prefix6 129"), "6: error: 'ban_prefix6' cannot be '129' (write a whole number from 32 to 128)"),
        (
            rule("ban 1h", "group g") + rule("ban 1h", "group g", "ban_prefix6 48").replace("name a", "name b"),
            "13: error: rules 'a' and 'b' of group 'g' differ in the prefix that is counted by, ban_prefix6"
            " ('a' has 64, 'b' has 48: write the same in both)",
        ),
    ],
)
def test_rule_that_cannot_ban(complaints: Complaints, text: str, said: str) -> None:
    assert [complaint.partition(":")[2] for complaint in complaints(text)] == [said]


def test_ignore_list(write: Write) -> None:
    write("friends", "192.0.2.7")
    text = "config logtrigger\n list ignore '10.0.0.0/8 gw.example.org'\n list ignore gw.example.org\n"
    text += " list ignore_file friends\n option ignore_command '/bin/sh -c \"test {ip}\"'\n"
    settings, said = config.load(write("rules.conf", text + rule("ban 1h")))
    assert (said, settings.ignore.texts, settings.ignore_names) == ((), ("10.0.0.0/8",), ("gw.example.org",))
    assert [path.name for path in settings.ignore_files] == ["friends"]
    assert settings.ignore_command == ("/bin/sh", "-c", "test {ip}")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("list ignore 10.0.0.300", "2: error: 'ignore' cannot be '10.0.0.300' (write one such as"),
        ("list ignore somebody", "2: error: 'ignore' cannot be 'somebody' (write one such as"),
        ("list ignore_file friends", "2: warning: there is no file "),
        (f"list ignore_file /{'x' * 300}", f"2: warning: /{'x' * 300} cannot be seen: File name too long"),
        ("list ignore_file /", "2: error: 'ignore_file' is a folder: / (name a file in it)"),
        (
            "option ignore_command '/bin/sh -c \"exit 1\"'",
            "2: warning: 'ignore_command' does not look at the address that it is asked about (add {ip} where",
        ),
        ("option ignore_command '/no/such {ip}'", "2: error: 'ignore_command': there is no program '/no/such' (install it,"),
    ],
)
def test_ignore_list_with_mistakes(complaints: Complaints, option: str, said: str) -> None:
    [complaint] = complaints(f"config logtrigger\n {option}\n" + rule("ban 1h"))
    assert complaint.partition(":")[2].startswith(said)


def test_ignore_command_may_take_the_address_from_the_environment(write: Write) -> None:
    script = write("ask.sh", '#!/bin/sh\n[ "$LT_ip" = 192.0.2.7 ]\n').absolute()
    script.chmod(0o700)
    text = f"config logtrigger\n option ignore_command {script}\n"
    assert config.load(write("rules.conf", text + rule("ban 1h")))[1] == ()


def test_good_login(write: Write) -> None:
    settings, said = config.load(write("rules.conf", rule("trust 7d")))
    assert (settings.rules[0].trust, settings.rules[0].ban, said) == (7 * 86_400.0, None, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            rule("trust 7d", fields="who ip"),
            "5: error: 'trust' needs a field of type ip and a field 'user'"
            " (name the fields in option fields: a login excuses failures of its own user only)",
        ),
        (
            rule("trust 7d", "maxfail 2"),
            "5: error: 'trust' with maxfail above 1: one good login is enough (remove one of the two)",
        ),
        (
            "config defaults\n option trust 7d\n" + rule("ban 1h"),
            "2: error: 'trust' cannot stand in 'config defaults' (every rule has its own: write it into 'config rule')",
        ),
    ],
)
def test_login_that_cannot_be_trusted(complaints: Complaints, text: str, said: str) -> None:
    assert [complaint.partition(":")[2] for complaint in complaints(text)] == [said]


def test_defaults_may_ban_and_a_rule_refuse(write: Write) -> None:
    text = "config defaults\n option ban 1h\n" + rule() + rule("ban no", "script /bin/sh").replace("name a", "name b")
    settings, _ = config.load(write("rules.conf", text))
    assert [one.ban is None for one in settings.rules] == [False, True]


def test_firewall(write: Write) -> None:
    text = """
config firewall
    option backend nftables
    list hook prerouting
    list hook 'input forward'
    option priority -150
    option target reject
    option protocol tcp
    list ports '22 80'
    list ports 443
    option cut 1
    option on_flush forget
    option max_bans 1000
"""
    settings, said = config.load(write("rules.conf", rule("ban 1h") + text))
    assert said == ()
    assert settings.firewall == FirewallOptions(
        backend="nftables",
        hooks=("prerouting", "input", "forward"),
        priority=-150,
        reject=True,
        protocol="tcp",
        ports=(22, 80, 443),
        cut=True,
        restore=False,
        max_bans=1000,
    )


def test_firewall_that_nobody_describes(write: Write) -> None:
    assert config.load(write("rules.conf", rule("ban 1h")))[0].firewall == FirewallOptions()


def test_commands(write: Write, tmp_path: Path) -> None:
    text = "config firewall\n option backend script\n option ban '/bin/true a b'\n option unban '/bin/true \"c d\"'\n"
    settings, said = config.load(write("rules.conf", rule("ban 1h") + text))
    assert said == ()
    assert (settings.firewall.ban, settings.firewall.unban) == (("/bin/true", "a", "b"), ("/bin/true", "c d"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            "option backend pf",
            "'backend' cannot be 'pf' (write auto, nftables, iptables, script or null)",
        ),
        ("option hook output", "'hook' cannot be 'output' (write any of prerouting, input and forward)"),
        ("option priority high", "'priority' cannot be 'high' (write a whole number from -9999 to 9999)"),
        ("option ports '22 70000'", "'ports' cannot be '22 70000' (write numbers from 1 to 65535)"),
        ("option ban /bin/true", "'ban' is for backend 'script' only (remove it, or write: option backend 'script')"),
        ("option target answer", "'target' cannot be 'answer' (write drop or reject)"),
    ],
)
def test_firewall_that_cannot_be(complaints: Complaints, options: str, said: str) -> None:
    assert complaints(rule("ban 1h") + f"config firewall\n {options}\n") == [f"rules.conf:7: error: {said}"]


def test_commands_that_are_missing(complaints: Complaints) -> None:
    given = "config firewall\n option backend script\n option ban /no/such/program\n"
    first, second = complaints(rule("ban 1h") + given)
    assert first.startswith("rules.conf:7: error: backend 'script' needs 'unban'")
    assert second == "rules.conf:8: error: 'ban': there is no program '/no/such/program' (install it, or correct the path)"


@pytest.mark.parametrize("page", ["README.md", "docs/bans.md"])
def test_example_of_the_documentation(complaints: Complaints, page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text()
    example = next(part for part in text.split("\n\n") if "config rule\n" in part and "option ban " in part)
    assert complaints(example + "\n") == []
    assert len(example.splitlines()) <= 10
