"""systemd hears when we are ready, reload, live and stop; nobody else is bothered."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from logtrigger.loop import Loop
from logtrigger.notify_socket import NotifySocket
from tests.live import BOUND, Live, live


class Receiver:
    """What systemd would hear."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.settimeout(BOUND)

    def message(self) -> dict[str, str]:
        """The next one."""
        text = self.socket.recv(65536).decode()
        return dict(line.split("=", 1) for line in text.split("\n"))

    def next_with(self, key: str) -> dict[str, str]:
        """The next one that holds this variable; pings come whenever they like."""
        while key not in (message := self.message()):
            assert "WATCHDOG" in message, message
        return message


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    one = Receiver(str(tmp_path / "notify"))
    yield one
    one.socket.close()


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Live]:
    with live(tmp_path) as one:
        one.configure()
        yield one


def test_a_life(one: Live, receiver: Receiver) -> None:
    one.start(before=["env", f"NOTIFY_SOCKET={receiver.address}", "WATCHDOG_USEC=600000"])
    assert receiver.message() == {"READY": "1", "STATUS": "1 rule, 0 bans"}
    one.wait_ready()
    for _ in range(3):
        assert receiver.message() == {"WATCHDOG": "1", "STATUS": "1 rule, 0 bans"}

    one.configure(one.rule(), one.rule("Other", "other %s"))
    before = time.monotonic_ns() // 1000
    one.signal(signal.SIGHUP)
    reloading = receiver.next_with("RELOADING")
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert receiver.message() == {"READY": "1", "STATUS": "2 rules, 0 bans"}

    one.configure(one.rule(maxfial=5))
    one.signal(signal.SIGHUP)
    receiver.next_with("RELOADING")
    assert receiver.next_with("READY")["STATUS"] == "2 rules, 0 bans"  # and the old configuration stays in force
    one.wait_for("not reloaded")

    one.signal(signal.SIGTERM)
    assert receiver.next_with("STOPPING") == {"STOPPING": "1", "STATUS": "stopping"}
    assert one.wait() == 0


def test_pings_go_on_where_it_cannot_be_told_how_it_stands(receiver: Receiver) -> None:
    """Else systemd would end a daemon that works."""
    states, loop, faults = iter(["", "fine"]), Loop(), list[Exception]()
    loop.on_fault = faults.append

    def status() -> str:
        return next(states) or str(1 // 0)

    loop.call_soon(lambda: NotifySocket(receiver.address, patience=0.03).watch(loop, status))
    receiver.socket.setblocking(False)
    end, heard = time.monotonic() + BOUND, dict[str, str]()
    while not heard and time.monotonic() < end:
        loop.turn(0.05)
        with suppress(BlockingIOError):
            heard = receiver.message()
    assert heard == {"WATCHDOG": "1", "STATUS": "fine"}
    assert isinstance(faults[0], ZeroDivisionError)
    loop.close()


def test_pings_go_on_while_a_script_holds_up_the_stop(one: Live, receiver: Receiver, tmp_path: Path) -> None:
    """Else systemd would kill what it is waiting for."""
    wait = one.script("wait.sh", f"until [ -e {tmp_path}/enough ]; do sleep 0.05; done")
    one.configure(one.rule(script=wait))
    one.start(before=["env", f"NOTIFY_SOCKET={receiver.address}", "WATCHDOG_USEC=300000"])
    one.wait_ready()
    one.write("hit me")
    one.wait_for("trigger Hit")
    receiver.next_with("READY")
    one.signal(signal.SIGTERM)
    receiver.next_with("STOPPING")
    for _ in range(3):
        assert receiver.message() == {"WATCHDOG": "1", "STATUS": "stopping; 1 rule, 0 bans"}
    (tmp_path / "enough").touch()
    assert one.wait() == 0


def test_no_child_can_speak_for_us(one: Live, receiver: Receiver, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    one.configure(one.rule(script=one.script("show.sh", f"env >>{shown}; echo end >>{shown}")))
    program = one.script("program.sh", f"env >>{shown}; echo end >>{shown}; exec sleep 60")
    rules = tmp_path / "rules"
    rules.write_text(f"{rules.read_text()}\nconfig source 'printed'\n\toption command '{program}'\n")
    rules.write_text(f"{rules.read_text()}\nconfig rule\n\toption name 'P'\n\toption pattern 'x'\n\toption source 'printed'\n")
    with one.running(before=["env", f"NOTIFY_SOCKET={receiver.address}", "WATCHDOG_USEC=60000000"]):
        one.write("hit me")
        one.until(lambda: shown.exists() and shown.read_text().count("end\n") == 2, "both have shown their environments")
    assert not [line for line in shown.read_text().splitlines() if line.startswith(("NOTIFY_", "WATCHDOG_"))]


@pytest.mark.parametrize(
    ("usec", "pid", "patience"),
    [("2500000", "", 2.5), ("2500000", str(os.getpid()), 2.5), ("2500000", "1", None), ("", "", None), ("0", "", None)],
)
def test_the_watchdog_is_ours(usec: str, pid: str, patience: float | None) -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid, "LANG": "C"}
    assert NotifySocket.taken_from(environ).patience == patience
    assert environ == {"LANG": "C"}


def test_an_abstract_address() -> None:
    receiver = Receiver(f"@logtrigger-test-{os.getpid()}")
    NotifySocket(receiver.address).stopping()
    assert receiver.message() == {"STOPPING": "1", "STATUS": "stopping"}
    receiver.socket.close()


def test_a_status_is_one_line(receiver: Receiver) -> None:
    NotifySocket(receiver.address).ready("2 rules; firewall: no\nMAINPID=1")
    assert receiver.message() == {"READY": "1", "STATUS": "2 rules; firewall: no MAINPID=1"}


def test_a_manager_that_does_not_listen(tmp_path: Path, receiver: Receiver) -> None:
    """Neither one that is gone nor one that does not read holds anybody up."""
    NotifySocket(str(tmp_path / "nowhere")).ready("fine")
    notify = NotifySocket(receiver.address)
    for _ in range(1000):  # more than a socket keeps
        notify.ready("fine" * 1000)


def test_no_ping_where_none_is_waited_for(receiver: Receiver) -> None:
    loop = Loop()
    NotifySocket(receiver.address).watch(loop, lambda: "fine")
    loop.turn(0)
    receiver.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.socket.recv(1)
    loop.close()
