"""The user's commands get whole words, in order; their failures are told, and what they cannot time is timed for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from logtrigger.errors import FirewallError
from logtrigger.firewall.base import Entry
from logtrigger.firewall.script import Script
from logtrigger.rule import FirewallOptions
from tests.firewall.conftest import FakeHost


class Noted:
    """A command that notes its arguments and environment in a file."""

    def __init__(self, folder: Path) -> None:
        self.notes = folder / "notes"
        self.notes.touch()
        self.program = folder / "note"
        values = "$LT_ip $LT_prefix $LT_network $LT_version $LT_seconds"
        self.program.write_text(f'#!/bin/sh\necho "$* | {values}" >>{self.notes}\n')
        self.program.chmod(0o700)

    def lines(self) -> list[str]:
        return self.notes.read_text().splitlines()


@pytest.fixture
def noted(tmp_path: Path) -> Noted:
    return Noted(tmp_path)


def test_words_and_variables(noted: Noted, host: FakeHost) -> None:
    program = str(noted.program)
    options = FirewallOptions(
        ban=(program, "ban", "{ip}", "for={seconds}", "{network}{prefix}", "{other} $(id); `id`"),
        unban=(program, "unban", "{ip}"),
    )
    firewall = Script(options, host)
    firewall.open()
    firewall.add([Entry("192.0.2.7", 60.0), Entry("2001:db8::/64", None)])
    firewall.remove(["192.0.2.7"])
    host.until(lambda: len(noted.lines()) == 3, "the commands have run")
    assert noted.lines() == [
        "ban 192.0.2.7 for=60 192.0.2.7/3232 {other} $(id); `id` | 192.0.2.7 32 192.0.2.7/32 4 60",
        "ban 2001:db8:: for=0 2001:db8::/6464 {other} $(id); `id` | 2001:db8:: 64 2001:db8::/64 6 0",
        "unban 192.0.2.7 | 192.0.2.7 32 192.0.2.7/32 4 0",
    ]
    assert host.present(firewall) is None
    assert host.reports == []


def test_who_goes_on_though_he_is_banned_makes_nobody_wait(noted: Noted, host: FakeHost) -> None:
    """A command that was told an end is not told it again with each line; one that is put off it is told."""
    firewall = Script(FirewallOptions(ban=(str(noted.program), "{ip}", "{seconds}")), host)
    for _ in range(3_000):
        firewall.add([Entry("192.0.2.1", 600.0), Entry("192.0.2.2", None)])
    firewall.add([Entry("192.0.2.1", 1200.0)])
    assert len(firewall._children) == 3
    host.until(lambda: len(noted.lines()) == 3, "the commands have run")
    assert [line.partition(" |")[0] for line in noted.lines()] == ["192.0.2.1 600", "192.0.2.2 0", "192.0.2.1 1200"]
    firewall.close()


def test_ends_that_are_put_off_cost_no_memory(host: FakeHost) -> None:
    firewall = Script(FirewallOptions(ban=("/bin/true", "{ip}")), host)
    for number in range(3_000):
        firewall.add([Entry("192.0.2.1", 600.0 + 2 * number)])
    assert len(firewall._due) < 1_100
    firewall.close()


def test_a_ban_ends_by_its_command(noted: Noted, host: FakeHost) -> None:
    program = str(noted.program)
    firewall = Script(FirewallOptions(ban=(program, "ban", "{ip}"), unban=(program, "unban", "{ip}")), host)
    firewall.add([Entry("192.0.2.1", 600.0), Entry("192.0.2.2", 0.0), Entry("192.0.2.3", None), Entry("192.0.2.4", 0.1)])
    firewall.add([Entry("192.0.2.4", 600.0)])  # in time, so that it does not end
    host.until(lambda: len(noted.lines()) == 5, "the commands have run")
    assert [line.partition(" |")[0] for line in noted.lines()] == [
        "ban 192.0.2.1", "ban 192.0.2.2", "ban 192.0.2.3", "ban 192.0.2.4", "unban 192.0.2.2",
    ]  # fmt: skip
    firewall.close()


def test_told_the_time_it_is_told_again(noted: Noted, host: FakeHost) -> None:
    firewall = Script(FirewallOptions(ban=(str(noted.program), "{ip}", "{seconds}")), host)
    firewall.add([Entry("192.0.2.1", 0.2)])
    firewall.add([Entry("192.0.2.1", 600.0)])
    host.until(lambda: len(noted.lines()) == 2, "the commands have run")
    assert [line.partition(" |")[0] for line in noted.lines()] == ["192.0.2.1 1", "192.0.2.1 600"]
    firewall.close()


def test_failures_are_told(host: FakeHost) -> None:
    firewall = Script(FirewallOptions(ban=("sh", "-c", "echo no room; exit 7"), unban=("/missing",)), host)
    firewall.add([Entry("192.0.2.1", 600.0)])
    firewall.remove(["192.0.2.1"])
    host.until(lambda: len(host.reports) == 2, "both failures are told")
    assert host.reports == [
        (0, "cannot ban 192.0.2.1: exit 7: no room"),
        (0, "cannot unban 192.0.2.1: exit 127: cannot be started: No such file or directory"),
    ]
    firewall.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (FirewallOptions(), "needs a command: option ban"),
        (FirewallOptions(ban=("/missing/ban",)), "/missing/ban is not there, or is no program"),
        (FirewallOptions(ban=("true",), flush=("/etc/passwd",)), "/etc/passwd is not there, or is no program"),
    ],
)
def test_missing_commands_are_told_at_once(options: FirewallOptions, message: str, host: FakeHost) -> None:
    with pytest.raises(FirewallError, match=message):
        Script(options, host).open()


def test_what_is_no_network_reaches_no_command(noted: Noted, host: FakeHost) -> None:
    firewall = Script(FirewallOptions(ban=(str(noted.program), "{ip}")), host)
    with pytest.raises(FirewallError, match="not a network"):
        firewall.add([Entry("1.2.3.4; id", 600.0)])


@pytest.mark.parametrize("with_flush", [True, False])
def test_torn_down(noted: Noted, host: FakeHost, with_flush: bool) -> None:
    program = str(noted.program)
    flush = (program, "flush") if with_flush else ()
    firewall = Script(FirewallOptions(ban=("true",), unban=(program, "unban", "{ip}"), flush=flush), host)
    firewall.add([Entry("192.0.2.1", 600.0), Entry("192.0.2.2", None)])
    firewall.tear_down()
    expected = ["flush"] if with_flush else ["unban 192.0.2.1", "unban 192.0.2.2"]
    host.until(lambda: len(noted.lines()) == len(expected), "the commands have run")
    assert [line.partition(" |")[0] for line in noted.lines()] == expected
    firewall.close()
