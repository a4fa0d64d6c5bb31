"""Commands run one after the other, with nothing inherited, and their ends are told."""

from __future__ import annotations

import os
import sys

import pytest

from logtrigger.firewall.children import Children, Ended, find_program, has_program
from tests.firewall.conftest import FakeHost


@pytest.fixture(params=["pidfd", "polling"])
def children(request: pytest.FixtureRequest, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Children:
    if request.param == "polling":
        monkeypatch.delattr(os, "pidfd_open")
    return Children(host.loop)


def test_in_their_order(children: Children, host: FakeHost) -> None:
    ends: list[Ended] = []
    children.run(["sh", "-c", "sleep 0.1; echo one; echo two; exit 3"], ends.append)
    children.run(["false"], ends.append)
    children.run(["true"], ends.append)
    assert len(children) == 3
    host.until(lambda: len(children) == 0, "all end")
    assert ends == [Ended(3, ("one", "two")), Ended(1, ()), Ended(0, ())]
    assert str(ends[0]) == "exit 3: one"


def test_what_a_command_gets(children: Children, host: FakeHost) -> None:
    ends: list[Ended] = []
    program = "import os, sys; print(sorted(k for k in os.environ if k != 'LC_CTYPE'), sys.stdin.read())"
    children.run([sys.executable, "-c", program], ends.append, {"LT_ip": "1.2.3.4"})
    host.until(lambda: ends, "the end")
    assert ends[0].lines == ("['LC_ALL', 'LT_ip', 'PATH'] ",)


def test_one_that_cannot_be_started(children: Children, host: FakeHost) -> None:
    ends: list[Ended] = []
    for arguments in (["no-such-program"], ["/etc/passwd"], ["echo", "a\0b"]):
        children.run(arguments, ends.append)
    children.run(["true"], ends.append)
    host.until(lambda: len(ends) == 4, "all end")
    assert [ended.code for ended in ends] == [127, 127, 127, 0]
    assert "No such file" in str(ends[0])


def test_one_that_takes_too_long_is_ended(host: FakeHost) -> None:
    ends: list[Ended] = []
    Children(host.loop, timeout=0.1).run(["sleep", "1000"], ends.append)
    host.until(lambda: ends, "the end")
    assert str(ends[0]) == "ended by signal 9"


def test_a_pipe_that_is_kept_open_holds_nothing_up(children: Children, host: FakeHost) -> None:
    ends: list[Ended] = []
    children.run(["sh", "-c", "sleep 5 & echo done"], ends.append)
    host.until(lambda: ends, "the end")
    assert ends == [Ended(0, ("done",))]


def test_nobody_hears_of_what_is_closed(children: Children, host: FakeHost) -> None:
    children.run(["sleep", "1000"], lambda ended: pytest.fail("told"))
    children.run(["true"], lambda ended: pytest.fail("told"))
    host.loop.turn(0)
    children.close()
    children.close()
    host.settle()
    assert len(children) == 0


def test_programs_of_root_are_found() -> None:
    assert find_program("sh") in ("/usr/bin/sh", "/bin/sh")
    assert find_program("/bin/sh") == "/bin/sh"
    assert not has_program("no-such-program")
