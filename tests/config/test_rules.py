"""One rule: patterns with their fields, the key, conditions, script and variables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.config import shell
from logtrigger.rule import SYSTEM_LOG, Rule

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]

HEAD = "config rule\n option name a\n option script /bin/sh\n"


@pytest.fixture
def rule(write: Write) -> Callable[[str], Rule]:
    """The only rule of a configuration that begins with HEAD."""

    def rule(options: str) -> Rule:
        settings, _ = config.load(write("rules.conf", HEAD + options))
        return settings.rules[0]

    return rule


RuleOf = Callable[[str], Rule]


def test_rule_of_the_original(write: Write, tmp_path: Path) -> None:
    """The example of the first Logtrigger's manual, quotes and all."""
    write("ipblock.sh", "exit 0\n")
    text = (
        'config rule\noption name "SIP_WrongPass"\n'
        'option pattern "Freeswitch: SIP registration failed User:%s IP:%s"\noption fields "user ip"\n'
        'option script "ipblock.sh"\noption time "3600"\noption maxfail "5"\noption enabled "1"\n'
    )
    settings, warnings = config.load(write("rules.conf", text))
    [rule] = settings.rules
    line = b"Nov 29 17:20:00 pbx Freeswitch: SIP registration failed User:bob IP:192.0.2.7"
    assert rule.patterns[0].match(line, 0, len(line)) == [b"bob", b"192.0.2.7"]
    assert (rule.name, rule.maxfail, rule.time, rule.key, rule.source) == (
        "SIP_WrongPass",
        5,
        3600.0,
        ("ip",),
        SYSTEM_LOG,
    )
    assert rule.script == tmp_path / "ipblock.sh"
    assert warnings == ()


@pytest.mark.parametrize(
    ("options", "key"),
    [
        (" option pattern 'x %s y %s'\n option fields 'user from:ip'\n", ("from",)),
        (" option pattern 'x %s y %s'\n option fields 'user from'\n", ()),
        (" option pattern 'x %s y %s'\n option fields 'user ip'\n option key 'user ip'\n", ("user", "ip")),
        (" option pattern 'x %s y %s'\n option fields 'user ip'\n option key none\n", ()),
        (" option pattern 'x %s y %s'\n", ()),
        (" list pattern 'x %s'\n list pattern 'y %s'\n list fields user\n list fields ip\n", ("ip",)),
    ],
)
def test_key(rule: RuleOf, options: str, key: tuple[str, ...]) -> None:
    assert rule(options).key == key


def test_one_text_of_fields_for_several_patterns(rule: RuleOf) -> None:
    found = rule(" list pattern 'x %s'\n list pattern 'y %s'\n option fields user\n")
    assert [pattern.fields for pattern in found.patterns] == [("user",), ("user",)]


def test_programs_file_and_variables(rule: RuleOf) -> None:
    found = rule(
        " option pattern x\n list program 'sshd sshd-session'\n list program login\n option file '/var/log/*.log'\n"
        " list env 'A=1'\n list env 'B=two words\nand lines'\n list except 'x %s'\n option weight 0\n"
    )
    assert found.programs == {"sshd", "sshd-session", "login"}
    assert found.source == "/var/log/*.log"
    assert found.env == (("A", "1"), ("B", "two words\nand lines"))
    assert (len(found.excepts), found.weight) == (1, 0)


def test_nocase_holds_for_exceptions_too(rule: RuleOf) -> None:
    found = rule(" option pattern x\n option except y\n option nocase 1\n")
    assert [pattern.nocase for pattern in (*found.patterns, *found.excepts)] == [True, True]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            "option pattern 'load %d% now'",
            "4: error: 'pattern', column 8: a lone '%' (write %% for a percent sign)",
        ),
        ("option pattern '%q'\noption fields 'a a a'", "4: error: 'pattern', column 1: '%q' is not known"),
        ("option pattern x\noption except '%q'", "5: error: 'except', column 1: '%q' is not known"),
        ("option pattern '%d'\noption fields 'a b'", "5: error: 'fields': 2 fields but 1 conversion"),
        ("option pattern '%s x %s'\noption fields 'a a'", "5: error: 'fields': the field 'a' is named twice"),
        ("option pattern '%s'\noption fields 'a:wrod'", "5: error: 'fields': unknown type 'wrod' of field 'a'"),
        (
            "option pattern '%s'\noption fields 'message'",
            "5: error: a field cannot be called 'message'"
            " (LT_message holds something else: choose a name such as 'my_message')",
        ),
        ("option pattern '%s'\noption fields 'time:word'", "5: error: a field cannot be called 'time'"),
        (
            "list pattern a\nlist pattern b\nlist pattern '%s'\nlist fields a\nlist fields b",
            "8: error: 2 lists of fields for 3 patterns (write 'fields' once for all patterns, or once for each)",
        ),
        (
            "option pattern 'by %s'\noption fields user\noption key usr",
            "6: error: 'key' names 'usr', which is no field (did you mean 'user'?)",
        ),
        (
            "option pattern x\noption key ip",
            "5: error: 'key' names 'ip', which is no field (name the conversions with option fields)",
        ),
        (
            "option pattern '%s'\noption fields ip\noption key 'ip ip'",
            "6: error: 'key' names a field twice (name each once)",
        ),
        (
            "option pattern '%s'\noption fields ip\nlist when 'ip != 192.0.2.1'\nlist when 'usr == x'",
            "7: error: 'when', column 1: unknown field 'usr'",
        ),
        ("option pattern x\nlist env A=1\nlist env A=2", "5: error: 'env' sets A twice (keep one of the two)"),
        (
            "option pattern 'by %s'\noption fields user\noption maxfail 5",
            "1: warning: no field is an address: all events of the rule are counted together"
            " (write option key 'user' to count by a field, or 'none' to mean this)",
        ),
    ],
)
def test_mistake(complaints: Complaints, options: str, said: str) -> None:
    found = complaints(HEAD + options + "\n")
    assert len(found) == 1
    assert found[0].startswith(f"rules.conf:{said}")


def test_missing_options(complaints: Complaints) -> None:
    assert complaints("config rule\n") == [
        "rules.conf:1: error: 'name' is missing (add: option name 'value')",
        "rules.conf:1: error: the rule has no pattern (write option pattern, format or regex)",
    ]


def test_no_warning_where_no_key_is_meant(complaints: Complaints) -> None:
    assert complaints(HEAD + "option pattern 'by %s'\noption fields user\noption maxfail 5\noption key none") == []


def test_script_is_named_where_it_is_written(complaints: Complaints, tmp_path: Path) -> None:
    assert complaints("config rule\noption name a\noption pattern x\noption script no.sh\n") == [
        f"rules.conf:4: error: the script {tmp_path}/no.sh cannot be run: No such file or directory"
        " (create it, or correct the path)"
    ]


def test_script_that_the_shell_will_not_take_is_warned_of(
    write: Write, complaints: Complaints, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a machine whose /bin/sh is dash; it starts all the same."""
    write("a.sh", "[ $LT_name == x ] && exit 0\n")
    (tmp_path / "sh").symlink_to("dash")
    monkeypatch.setattr(shell.portability, "__defaults__", (tmp_path / "sh",))
    assert complaints("config rule\noption name a\noption pattern x\noption script a.sh\n") == [
        f"rules.conf:4: warning: the script {tmp_path}/a.sh: '==' between '[' and ']' is an error in dash; write '=' (line 1)"
    ]


def test_rule_that_is_off_may_lack_its_script_but_not_its_sense(complaints: Complaints) -> None:
    off = "config rule\noption name a\noption enabled 0\noption script /no/such.sh\n"
    assert complaints(off + "option pattern x\n") == []
    assert complaints(off + "option pattern '%'\n") == [
        "rules.conf:5: error: 'pattern', column 1: a lone '%' (write %% for a percent sign)"
    ]
