"""What a script gets to know."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.actions.environment import MAX_ENVIRONMENT, MAX_VALUE, environment
from logtrigger.model import Trigger

MakeTrigger = Callable[..., Trigger]


def size(env: dict[str, str]) -> int:
    return sum(len(f"{name}={value}\0".encode()) for name, value in env.items())


def test_every_variable(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(extra={"ip_country": "FI"}, late=12, ignored=True)
    assert environment(trigger, [("MODE", "test")]) == {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "MODE": "test",
        "LT_name": "sshd",
        "LT_message": "Jul 14 02:40:00 gate sshd[77]: Failed password for root from 1.2.3.4",
        "LT_user": "root",
        "LT_ip": "1.2.3.4",
        "LT_body": "Failed password for root from 1.2.3.4",
        "LT_count": "3",
        "LT_key": "1.2.3.4 root",
        "LT_time": "1500000000",
        "LT_host": "gate",
        "LT_program": "sshd",
        "LT_pid": "77",
        "LT_source": "/var/log/auth.log",
        "LT_id": "sshd:1:1",
        "LT_late": "12",
        "LT_ignored": "1",
        "LT_ip_country": "FI",
    }


def test_ignored_is_absent_otherwise(make_trigger: MakeTrigger) -> None:
    env = environment(make_trigger())
    assert "LT_ignored" not in env
    assert "LT_truncated" not in env


def test_field_replaces_the_header(make_trigger: MakeTrigger) -> None:
    env = environment(make_trigger(fields={"host": "evil", "pid": "1", "message": "mine", "id": "mine"}))
    assert (env["LT_host"], env["LT_program"], env["LT_pid"]) == ("evil", "sshd", "1")
    assert env["LT_id"] == "sshd:1:1", "what scripts rely on is nobody's to replace"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\0b\nc\td\x1b[31m", "a?b?c d?[31m"),
        ("\u202egnp\u2069", "?gnp?"),
        ("$(reboot) `id` ;'\"\\ %n", "$(reboot) `id` ;'\"\\ %n"),
        ("\udcff", "\ufffd\ufffd\ufffd"),
        ("käyttäjä 😀", "käyttäjä 😀"),
    ],
)
def test_value_is_safe(make_trigger: MakeTrigger, value: str, expected: str) -> None:
    """Upstream has made captures safe; a path or an enrichment may hold anything all the same."""
    env = environment(make_trigger(fields={"user": value}, source=value, key=(value,)))
    assert env["LT_user"] == env["LT_source"] == env["LT_key"] == expected


@pytest.mark.parametrize("letter", ["x", "ä", "😀", "\x1b"])
def test_long_value_is_cut(make_trigger: MakeTrigger, letter: str) -> None:
    env = environment(make_trigger(fields={"user": letter * 130_000, "ip": "1.2.3.4"}))
    assert MAX_VALUE - 4 < len(env["LT_user"].encode()) <= MAX_VALUE
    assert env["LT_truncated"] == "1"
    exactly = environment(make_trigger(fields={"user": "x" * MAX_VALUE}))
    assert len(exactly["LT_user"]) == MAX_VALUE
    assert "LT_truncated" not in exactly


def test_long_values_leave_the_short_ones_whole(make_trigger: MakeTrigger) -> None:
    fields = {f"text{n}": "x" * 20_000 for n in range(20)} | {"ip": "1.2.3.4"}
    env = environment(make_trigger(fields=fields, message="m" * 20_000))
    assert (env["LT_ip"], env["LT_name"], env["LT_id"]) == ("1.2.3.4", "sshd", "sshd:1:1")
    assert env["LT_truncated"] == "1"
    assert size(env) <= MAX_ENVIRONMENT
    assert {f"LT_{name}" for name in fields} <= env.keys(), "a cut variable is there, if empty"


values = st.text(st.characters(), max_size=50) | st.text("ä\0x", min_size=1, max_size=1).map(lambda c: c * 17_000)


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), values, max_size=8), values)
def test_environment_always_fits(fields: dict[str, str], text: str) -> None:
    trigger = Trigger("id", "r", 0.0, 1, (text,), fields, text, text, text, host=text)
    env = environment(trigger, [("MODE", "x" * 1000)])
    assert size(env) <= MAX_ENVIRONMENT
    assert all(len(value.encode()) <= MAX_VALUE and "\0" not in value for value in env.values())
    assert env["LT_name"] == "r"
