"""Bans carried out: what the firewall is told, what the store keeps, and what is said when something stands in the way."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from logtrigger import banning as module
from logtrigger import bans, hostaddresses, ignoring, sessions, upkeep
from logtrigger.addresses import AddressSet
from logtrigger.banning import Banning
from logtrigger.commits import Commits
from logtrigger.errors import FirewallError
from logtrigger.firewall.base import Firewall, Host
from logtrigger.hostaddresses import HostAddresses
from logtrigger.loop import Loop, Timer
from logtrigger.model import Ban, Trigger
from logtrigger.rule import BanOptions, Escalation, FirewallOptions, Rule, Settings
from logtrigger.store import Store
from tests.fake_firewall import Fake
from tests.script import NOW, rule

HOUR = 3600.0


class Bench:
    """A Banning with all around it, and a clock that stands still."""

    def __init__(self, settings: Settings, store: Store, **options: bool) -> None:
        self.now, self.passed = NOW, 100.0
        self.said: list[tuple[int, str]] = []
        self.fakes: list[Fake] = []
        self.loop, self.store, self.settings = Loop(), store, settings
        self.commits = Commits(self.loop, store, lambda: ((), ()), lambda seq: None, lambda error: None)
        self.banning = Banning(
            self.loop,
            settings,
            store,
            self.commits,
            lambda level, text: self.said.append((level, text)),
            lambda: self.now,
            dry_run=options.get("dry_run", False),
            monotonic=lambda: self.passed,
            make=self._make,
        )

    def _make(self, options: FirewallOptions, host: Host) -> Firewall:
        self.fakes.append(Fake(options, host))
        return self.fakes[-1]

    @property
    def fake(self) -> Fake:
        return self.fakes[-1]

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.passed += seconds

    def turn_until(self, come: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not come():
            assert time.monotonic() < end, self.said
            self.loop.turn(0.05)

    def meet(self, *addresses: str, made: Rule | None = None, age: float = 0.0) -> list[str]:
        """One trigger for each address, all of one chunk; what is said to each."""
        banner = made or BANS
        triggers = [trigger(address, self.now - age, number, banner.name) for number, address in enumerate(addresses)]
        notes = self.banning.meet((one, banner) for one in triggers)
        return [notes.get(one.id, "") for one in triggers]

    def told(self, level: int) -> list[str]:
        return [text for at, text in self.said if at == level]

    def close(self) -> None:
        self.commits.last()
        self.banning.close()
        self.loop.close()


def trigger(address: str, at: float, number: int = 0, name: str = "r") -> Trigger:
    line = f"failed from {address}"
    return Trigger(f"{name}@s:{number}", name, at, 5, (address,), {"ip": address}, line, line, "log")


def held(one: Bench, network: str) -> Ban:
    """The ban of a network that is banned."""
    found = one.banning.bans.get(network)
    assert found is not None
    return found


def banner(seconds: float | None = HOUR, **options: Any) -> Rule:
    return rule("failed from %s", "ip", name="r", ban=BanOptions(field="ip", seconds=seconds, **options))


BANS = banner()


def settings(*ignore: str, **firewall: object) -> Settings:
    return Settings(
        path=Path("rules.conf"),
        rules=(BANS,),
        state=Path("state.db"),
        ignore=AddressSet(ignore),
        firewall=FirewallOptions(**firewall),  # type: ignore[arg-type]
    )


@pytest.fixture(autouse=True)
def this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with addresses of its own."""
    own, gateways = AddressSet(["127.0.0.0/8", "::1", "10.9.9.2", "fd00:9::2", "fe80::9"]), AddressSet(["10.9.9.1", "fe80::1"])
    monkeypatch.setattr(hostaddresses, "read", lambda: HostAddresses(own, gateways))
    monkeypatch.setattr(sessions, "live", dict)
    monkeypatch.setattr(upkeep, "_FIRST_RETRY", 0.02)
    monkeypatch.setattr(module, "_SETTLE", 0.01)


@pytest.fixture
def store() -> Iterator[Store]:
    kept = Store(None)
    yield kept
    kept.close()


@pytest.fixture
def bench(store: Store) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(given: Settings | None = None, **options: bool) -> Bench:
        made.append(Bench(given or settings(), store, **options))
        made[-1].banning.start()
        return made[-1]

    yield make
    for one in made:
        one.close()


Make = Callable[..., Bench]


# What rules want


def test_triggers_of_a_chunk_are_banned_in_one_batch(bench: Make) -> None:
    one = bench()
    notes = one.meet("192.0.2.7", "2001:db8::7", "192.0.2.7")
    assert notes == [
        "banning 192.0.2.7 for 1h",
        "banning 2001:db8::/64 for 1h",
        "192.0.2.7 is banned already, for 1h more",
    ]
    assert one.fake.held == {"192.0.2.7": HOUR, "2001:db8::/64": HOUR}
    assert one.fake.batches == [2]


def test_rule_without_ban_asks_for_no_firewall(bench: Make) -> None:
    plain = rule("failed from %s", "ip", name="r")
    one = bench(replace(settings(), rules=(plain,)))
    assert one.meet("192.0.2.7", made=plain) == [""]
    assert not one.fakes


@pytest.mark.parametrize(
    ("options", "address", "network"),
    [
        ({}, "2001:db8::7", "2001:db8::/64"),
        ({"prefix6": 128}, "2001:db8::7", "2001:db8::7"),
        ({"prefix6": 56}, "2001:db8:0:1ff::7", "2001:db8:0:100::/56"),
        ({"prefix4": 24}, "192.0.2.7", "192.0.2.0/24"),
        ({}, "fd00:9::7", "fd00:9::7"),  # its prefix is ours
        ({}, "fe80::7", "fe80::7"),
        ({"prefix4": 24}, "10.9.9.7", "10.9.9.7"),
        ({"prefix4": 24}, "198.51.100.7", "198.51.100.7"),  # somebody of its prefix is on the ignore list
    ],
)
def test_network_that_is_banned(bench: Make, options: dict[str, int], address: str, network: str) -> None:
    one = bench(settings("198.51.100.200/31"))
    assert one.meet(address, made=banner(**options)) == [f"banning {network} for 1h"]
    assert list(one.fake.held) == [network]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.9.9.2", "is an address of this machine"),
        ("127.3.3.3", "is an address of this machine"),
        ("::1", "is an address of this machine"),
        ("10.9.9.1", "is a gateway of this machine"),
        ("fe80::1", "is a gateway of this machine"),
        ("198.51.100.7", "is on the ignore list"),
        ("0.0.0.0", "is nobody's address"),
        ("255.255.255.255", "is nobody's address"),
        ("224.0.0.1", "is nobody's address"),
        ("ff02::1", "is nobody's address"),
    ],
)
def test_what_is_never_banned(bench: Make, address: str, why: str) -> None:
    one = bench(settings("198.51.100.0/24"))
    assert one.meet(address, "192.0.2.7") == [f"not banned: {address} {why}", "banning 192.0.2.7 for 1h"]
    assert list(one.fake.held) == ["192.0.2.7"]
    assert one.told(3) == [f"r: {address} is not banned: {why}"]


def test_late_ban_lasts_what_is_left(bench: Make) -> None:
    one = bench()
    assert one.meet("192.0.2.7", age=2400) == ["banning 192.0.2.7 for 20m"]
    assert one.meet("192.0.2.8", age=HOUR) == ["not banned: 1h for 192.0.2.8 would be over by now"]
    assert one.meet("192.0.2.9", age=86_401, made=banner(None)) == ["too late to ban 192.0.2.9"]
    assert one.fake.held == {"192.0.2.7": 1200.0}


def test_lines_of_who_is_banned_put_him_into_the_firewall_again(bench: Make) -> None:
    one = bench()
    one.meet("192.0.2.7")
    one.fake.held.clear()  # lost, without anybody having said so
    one.pass_time(600)
    assert one.meet("192.0.2.7", age=600) == ["192.0.2.7 is banned already, for 50m more"]
    assert one.fake.held == {"192.0.2.7": 3000.0}


def test_for_ever(bench: Make) -> None:
    one = bench()
    assert one.meet("192.0.2.7", made=banner(None)) == ["banning 192.0.2.7 for ever"]
    assert one.fake.held == {"192.0.2.7": None}


def test_dry_run_touches_nothing(bench: Make) -> None:
    one = bench(dry_run=True)
    assert one.meet("192.0.2.7") == ["banning 192.0.2.7 for 1h (dry run)"]
    assert one.fake.options.backend == "null"


def test_no_more_than_max_bans(bench: Make) -> None:
    one = bench(settings(max_bans=2))
    one.meet("192.0.2.1")
    one.pass_time(1)
    one.meet("192.0.2.2", "192.0.2.3", "192.0.2.4")
    assert list(one.fake.held) == ["192.0.2.3", "192.0.2.4"]
    assert one.told(0) == ["more than 2 bans: those that end first are given up (max_bans)"]


def test_bans_by_hand_are_all_that_there_is_room_for(bench: Make) -> None:
    one = bench(settings(max_bans=2))
    one.banning.ban("192.0.2.1", HOUR, by="root")
    one.banning.ban("192.0.2.2", HOUR, by="root")
    assert (
        one.meet("192.0.2.3", "192.0.2.4")
        == ["not banned: somebody has asked for 2 bans, which is all that max_bans allows"] * 2
    )
    assert one.told(0) == ["somebody has asked for 2 bans, which is all that max_bans allows: rules ban nobody more (max_bans)"]
    with pytest.raises(ValueError, match="all that max_bans allows: lift some, or raise it"):
        one.banning.ban("192.0.2.5", HOUR, by="root")
    assert list(one.fake.held) == ["192.0.2.1", "192.0.2.2"]


def test_flood_is_said_once_while_it_lasts(bench: Make) -> None:
    """Not again with each ban that is over meanwhile."""
    one = bench(settings(max_bans=20))
    one.meet(*(f"192.0.2.{number}" for number in range(19)), made=banner(60.0))
    one.meet("192.0.3.1", made=banner(1.0))
    for _ in range(3):
        one.meet("192.0.4.1", "192.0.4.2", made=banner(1.0))
        one.pass_time(1.5)
        one.banning._expire()
    assert len(one.told(0)) == 1
    one.pass_time(60.0)
    one.banning._expire()
    one.meet(*(f"192.0.2.{number}" for number in range(21)), made=banner(60.0))
    assert len(one.told(0)) == 2


def test_fewer_bans_from_the_next_reload_or_start_on(bench: Make, store: Store) -> None:
    """The kernel's sets have room for no more: what is given up leaves them first."""
    one = bench()
    for number in range(6):
        one.meet(f"192.0.2.{number}", made=banner(HOUR + number))
    one.banning.take_up(settings(max_bans=4))
    assert sorted(one.fake.held) == sorted(one.banning.bans) == [f"192.0.2.{number}" for number in range(2, 6)]
    assert one.fakes[0].is_torn_down, "a set of the kernel's keeps its size"
    one.commits.last()
    assert one.banning.history("192.0.2.0")[0][1].how == "given up for another"  # type: ignore[union-attr]
    second = bench(settings(max_bans=3))
    assert sorted(second.fake.held) == [f"192.0.2.{number}" for number in range(3, 6)]
    assert second.fake.removed == ["192.0.2.2"], "an earlier run may have left it there"
    assert second.told(0) == ["more than 3 bans: those that end first are given up (max_bans)"]


# Time


def test_ban_that_is_over_is_forgotten(bench: Make, store: Store) -> None:
    one = bench()
    one.meet("192.0.2.7", made=banner(30.0))
    one.pass_time(29.9)
    one.meet("192.0.2.8", made=banner(0.05))  # wakes it up
    one.pass_time(1)
    one.turn_until(lambda: len(one.banning.bans) == 0)
    one.commits.last()
    assert store.load_bans(one.now) == ([], [])
    [(_, end)] = store.ban_history("192.0.2.7", 9)
    assert end is not None and (end.how, end.ended) == ("expired", NOW + 30)
    assert one.fake.held.keys() == {"192.0.2.7", "192.0.2.8"}  # the kernel forgets by itself


def test_whoever_comes_again_at_once_is_banned_twice(bench: Make) -> None:
    """The end of the first ban is told of and kept, although nobody has woken up for it yet."""
    one = bench()
    changes: list[str] = []
    one.banning.on_change = lambda change: changes.append(type(change).__name__)
    one.meet("192.0.2.7", made=banner(60.0))
    one.pass_time(60.01)
    one.meet("192.0.2.7", made=banner(60.0))
    assert changes == ["Ban", "Unban", "Ban"]
    one.commits.last()
    assert [end and end.how for _, end in one.banning.history("192.0.2.7")] == [None, "expired"]


def test_clock_that_is_set_moves_the_bans_along(bench: Make, store: Store) -> None:
    one = bench()
    one.meet("192.0.2.7")
    one.now += 1e8  # as where a router without a clock of its own learns the time
    one.meet("192.0.2.8")
    assert dict(one.banning.bans.remaining(one.now)) == {"192.0.2.7": HOUR, "192.0.2.8": HOUR}
    one.commits.last()
    assert [ban.until for ban in store.load_bans(one.now)[0]] == [one.now + HOUR] * 2
    assert "the clock jumped by +100000000 s (it was set, or the machine has slept): 1 ban moved along" in one.told(1)


def test_ban_that_begins_after_the_clock_was_set_ends_in_time(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when the one ends that we were waiting for: a firewall without timeouts lets nobody through by itself."""
    one = bench()
    waits = list[float]()
    later = one.loop.call_later

    def call_later(seconds: float, callback: Callable[[], None]) -> Timer:
        waits.append(seconds)
        return later(seconds, callback)

    monkeypatch.setattr(one.loop, "call_later", call_later)
    one.meet("192.0.2.7")
    assert max(waits) >= HOUR
    waits.clear()
    one.now += 1e8
    one.meet("192.0.2.8", made=banner(60.0))
    assert [round(wait) for wait in waits if wait > 2.0] == [60]


def test_clock_that_is_set_moves_logins_and_trials_along(bench: Make) -> None:
    one = bench()
    one_of(one, "192.0.2.7", "bob", LOGIN)
    one_of(one, "192.0.2.7", "bob")
    one_of(one, "192.0.2.8", "bob", LOGIN)
    one.now += 1e8
    one.pass_time(61.0)
    assert one_of(one, "192.0.2.7", "bob", number=1) == "banning 192.0.2.7 for 1h", "its trial was a minute ago"
    assert one_of(one, "192.0.2.8", "bob") == "banning 192.0.2.8 for 1m", "its login, too"


# Starts


def test_start_while_the_clock_is_behind(bench: Make) -> None:
    """A router's clock stands where it stood some days ago, until it is told the time: an hour stays an hour."""
    first = bench()
    first.meet("192.0.2.6", made=banner(30.0))
    first.pass_time(10.0)
    first.meet("192.0.2.7")
    first.commits.last()
    second = Bench(settings(), first.store)
    second.now -= 20 * 86_400.0
    second.banning.start()
    assert second.fake.held == {"192.0.2.6": 20.0, "192.0.2.7": HOUR}
    assert second.told(1)[0] == "the clock is behind by 20d10s or more: bans keep what was left of them"
    second.pass_time(60.0)
    second.now += 20 * 86_400.0
    second.meet("192.0.2.8")
    assert dict(second.banning.bans.remaining(second.now)) == {"192.0.2.7": HOUR - 60.0, "192.0.2.8": HOUR}
    second.close()


def test_bans_outlast_the_daemon_for_the_rest_of_their_time(bench: Make) -> None:
    one = bench()
    one.meet("192.0.2.7", "2001:db8::7", made=banner(100.0))
    one.meet("192.0.2.8", made=banner(30.0))
    one.meet("192.0.2.9", made=banner(None))
    one.commits.last()
    second = Bench(settings(), one.store)
    second.pass_time(60)
    second.banning.start()
    assert second.fake.removed == ["192.0.2.8"]
    assert second.fake.held == {"192.0.2.7": 40.0, "2001:db8::/64": 40.0, "192.0.2.9": None}
    assert second.fake.batches == [3]
    ban = second.banning.bans.get("192.0.2.7")
    assert ban is not None and (ban.rule, ban.lines, ban.since) == ("r", ("failed from 192.0.2.7",), NOW)
    second.close()


def test_lifted_bans_do_not_come_back(bench: Make, store: Store) -> None:
    one = bench()
    one.meet("192.0.2.7")
    one.banning.unban(["192.0.2.7"])
    one.meet("192.0.2.8")
    one.banning.unban(["192.0.2.8"])
    one.meet("192.0.2.8")
    one.commits.last()
    assert [ban.network for ban in store.load_bans(one.now)[0]] == ["192.0.2.8"]


# A firewall that fails


def test_start_without_a_firewall(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fake, "_check", refuse)
    one = bench()
    one.meet("192.0.2.1")
    assert len(one.told(0)) == 1
    monkeypatch.undo()
    one.turn_until(lambda: not one.banning.fault)
    assert list(one.fake.held) == ["192.0.2.1"]
    one.fake.broken = True
    one.banning.unban(["192.0.2.1"])
    one.meet("192.0.2.2")
    assert one.banning.fault == "no nftables here"
    one.fake.broken = False
    one.turn_until(lambda: not one.banning.fault)
    assert list(one.fake.held) == ["192.0.2.2"]


def refuse(_: Fake) -> None:
    raise FirewallError("not permitted")


def test_what_led_to_an_old_ban_is_asked_of_the_store(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bans, "_DETAILED", 1)
    one = bench()
    one.meet("192.0.2.1")
    one.meet("192.0.2.2")
    one.commits.last()
    old, new = (one.banning.bans.get(network) for network in ("192.0.2.1", "192.0.2.2"))
    assert old is not None and new is not None
    assert (old.lines, new.lines) == ((), ("failed from 192.0.2.2",))
    assert one.banning.detailed(old).lines == ("failed from 192.0.2.1",)
    assert one.banning.detailed(new) is new


def test_nothing_is_set_up_to_lift_nothing(bench: Make) -> None:
    one = bench(replace(settings(), rules=()))
    assert one.banning.unban(all=True) == one.banning.unban(["192.0.2.7"]) == []
    assert not one.fakes


def test_many_that_are_lifted_hold_up_nobody(bench: Make, store: Store) -> None:
    """The kernel lets them through at once, their ends are told a part at a time; who is banned meanwhile stays so."""
    made, told = bench(), list[str]()
    made.banning.on_change = lambda change: told.append(change.network)
    made.meet(*(f"10.0.{number >> 8}.{number & 255}" for number in range(2_500)))
    told.clear()
    assert len(made.banning.unban(all=True)) == 2_500
    assert not made.fake.held and len(told) == 1_000 and made.banning.is_recording
    made.meet("10.0.9.195")  # the last one
    made.turn_until(lambda: not made.banning.is_recording)
    assert len(told) == 2_500 and list(made.fake.held) == ["10.0.9.195"]
    made.commits.last()
    assert [ban.network for ban in store.load_bans(made.now)[0]] == ["10.0.9.195"]


@pytest.mark.parametrize(("options", "vain"), [({}, ""), ({"backend": "null"}, " (backend null blocks nothing)")])
def test_whoever_is_not_blocked_is_not_said_to_be(bench: Make, options: dict[str, str], vain: str) -> None:
    made = bench(settings(**options))
    assert made.meet("192.0.2.7") == [f"banning 192.0.2.7 for 1h{vain}"]
    made.banning.ban("192.0.2.8", None, by="root")
    assert made.told(1)[-1] == f"root: banning 192.0.2.8 for ever{vain}"


def test_flush_is_made_good(bench: Make) -> None:
    one = bench()
    one.meet("192.0.2.1", "192.0.2.2")
    one.fake.held.clear()
    one.banning.flushed()
    one.banning.flushed()
    one.pass_time(600)
    one.turn_until(lambda: one.fake.held)
    assert one.fake.held == {"192.0.2.1": 3000.0, "192.0.2.2": 3000.0}
    assert one.told(0) == ["somebody has removed our bans from the firewall: 2 bans restored"]


def test_two_who_flush_each_other_come_to_rest(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each makes good what the other does, for ever; but not three times a second, with a line in the log each time."""
    one = bench()
    one.banning.ban("192.0.2.1", None, by="root")
    waits = list[float]()

    def at_once(seconds: float, call: Callable[[], None]) -> None:
        waits.append(seconds)
        call()

    monkeypatch.setattr(module, "_SETTLE", 0.2)
    monkeypatch.setattr(one.loop, "call_later", at_once)
    for _ in range(2000):
        one.fake.held.clear()
        one.banning.flushed()
        assert one.fake.held
        one.pass_time(waits[-1])
    assert waits[:8] == [0.2, 0.2, 0.2, 0.2, 0.2, 0.4, 0.8, 1.6] and waits[11:] == [25.6] + 1988 * [30.0]
    said = "somebody has removed our bans from the firewall"
    assert one.told(0)[4:6] == [
        f"{said}: 1 ban restored",
        f"{said}, 6 times in a row (logtrigger doctor may know who): 1 ban restored",
    ]
    one.pass_time(91)
    one.banning.flushed()
    assert waits[-1] == 0.2, "the first of a new row"


def test_flush_that_is_to_be_obeyed(bench: Make, store: Store) -> None:
    one = bench(settings(restore=False))
    one.meet("192.0.2.1", "192.0.2.2")
    del one.fake.held["192.0.2.1"]  # a part is gone: all is to go
    one.banning.flushed()
    one.turn_until(lambda: one.told(0))
    assert one.fake.held == {} and len(one.banning.bans) == 0
    assert one.told(0) == ["somebody has removed our bans from the firewall: 2 bans dropped (on_flush forget)"]
    one.commits.last()
    assert store.load_bans(one.now) == ([], [])


@pytest.mark.parametrize("unban_first", [True, False])
def test_lifting_all_wins_over_restoring(bench: Make, unban_first: bool) -> None:
    """A firewall that is restarted empties the kernel and lifts all bans, in whatever order this is heard of."""
    one = bench()
    one.meet("192.0.2.1")
    if unban_first:
        one.banning.unban(all=True)
        one.banning.flushed()
    else:
        one.banning.flushed()
        one.banning.unban(all=True)
    one.turn_until(lambda: not one.banning._restoring)
    assert one.fake.held == {} and len(one.banning.bans) == 0


# What operators want


def test_ban_and_unban_by_hand(bench: Make, store: Store) -> None:
    one = bench()
    assert one.banning.ban(" 192.0.2.7 ", 60.0, by="root").until == NOW + 60
    assert one.banning.ban("::ffff:192.0.2.9", None, by="root").network == "192.0.2.9"
    assert one.banning.ban("2001:db8::/64", 60.0, by="root").network == "2001:db8::/64"
    assert one.fake.held == {"192.0.2.7": 60.0, "192.0.2.9": None, "2001:db8::/64": 60.0}
    assert one.banning.ban("192.0.2.7", 30.0, by="root").until == NOW + 60
    assert one.banning.unban(["192.0.2.0/24"], by="root") == ["192.0.2.7", "192.0.2.9"]
    assert one.fake.held == {"2001:db8::/64": 60.0}
    assert one.banning.unban(["192.0.2.7"]) == []
    one.commits.last()
    [(ban, end)] = one.banning.history("192.0.2.7")
    assert (ban.by, ban.times, end and end.how) == ("root", 2, "root")
    assert [found.network for found in store.load_bans(NOW)[0]] == ["2001:db8::/64"]


@pytest.mark.parametrize(
    ("network", "fault", "forced"),
    [
        ("nobody", "no address or prefix", False),
        ("192.0.2.7/24", "bits set behind its prefix", False),
        ("0.0.0.0/0", "every address there is", False),
        ("::/0", "every address there is", False),
        ("16.0.0.0/7", "wider than /8", True),
        ("2001:d00::/24", "wider than /32", True),
        ("10.9.9.2", "address of this machine", True),
        ("10.9.9.0/24", "address of this machine", True),
        ("10.9.9.1", "gateway", True),
        ("224.0.0.0/4", "wider than /8", True),
        ("198.51.100.7", "on the ignore list", False),
        ("198.51.0.0/16", "holds addresses of the ignore list", False),
    ],
)
def test_what_nobody_may_ban(bench: Make, network: str, fault: str, forced: bool) -> None:
    one = bench(settings("198.51.100.0/24"))
    with pytest.raises(ValueError, match=fault):
        one.banning.ban(network, 60.0, by="root")
    assert one.fake.held == {}
    if forced:
        assert one.banning.ban(network, 60.0, by="root", force=True).network == network
    else:
        with pytest.raises(ValueError, match=fault):
            one.banning.ban(network, 60.0, by="root", force=True)


def test_zone_of_an_address_is_left_out(bench: Make) -> None:
    one = bench()
    assert one.banning.ban("fe80::7%eth0", 60.0, by="root").network == "fe80::7"
    assert list(one.fake.held) == ["fe80::7"]
    assert one.banning.unban(["fe80::7%eth1"]) == ["fe80::7"]


def test_unban_of_a_rule_and_of_what_is_unknown(bench: Make) -> None:
    one = bench()
    one.meet("192.0.2.1")
    one.banning.ban("192.0.2.2", None, by="root")
    one.fake.held["192.0.2.3"] = None  # of an earlier life
    assert one.banning.unban(["192.0.2.3"], rule="r") == ["192.0.2.1"]
    assert list(one.fake.held) == ["192.0.2.2"]
    with pytest.raises(ValueError, match="no address"):
        one.banning.unban(["192.0.2.2", "x"])
    assert list(one.fake.held) == ["192.0.2.2"]


# Reloads


def test_reload_with_another_firewall_moves_the_bans(bench: Make) -> None:
    one = bench()
    one.meet("192.0.2.1")
    one.banning.take_up(settings())
    one.banning.take_up(settings(trial=5.0))  # which says nothing to a kernel
    assert len(one.fakes) == 1
    one.banning.take_up(settings(reject=True))
    assert one.fakes[0].is_torn_down and not one.fakes[0].is_open
    assert one.fakes[1].held == {"192.0.2.1": HOUR}


def test_reload_lifts_what_is_ignored_now(bench: Make) -> None:
    one = bench()
    one.meet("192.0.2.1", "198.51.100.1")
    one.banning.take_up(settings("192.0.2.0/24"))
    assert list(one.fake.held) == ["198.51.100.1"]


def test_reload_lifts_nothing_else_than_what_is_ignored(bench: Make) -> None:
    one = bench()
    one.meet("192.0.2.1")
    one.banning.ban("192.0.0.0/16", 9 * HOUR, by="root")
    one.banning.take_up(settings("192.0.3.0/24"))
    assert list(one.fake.held) == ["192.0.2.1"]


def test_what_a_killed_run_left_in_the_kernel_is_let_through(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else somebody would stay blocked of whom no ban is known, in a prefix that was unbanned, say."""
    monkeypatch.setattr(module, "_STRAYS", 0.05)
    one = bench()
    one.fake.held["192.0.2.7"] = one.fake.held["192.0.2.8"] = HOUR  # blocked, but not stored yet, when it was killed
    one.meet("192.0.2.8")
    one.turn_until(lambda: "192.0.2.7" not in one.fake.held)
    assert list(one.fake.held) == ["192.0.2.8"]
    assert "1 network blocked without a ban, left by an earlier run: let through" in one.told(1)


def test_start_lifts_what_has_come_to_be_ignored_meanwhile(bench: Make) -> None:
    before = bench()
    before.meet("192.0.2.1", "198.51.100.1")
    before.commits.last()
    made = bench(settings("192.0.2.0/24"))
    made.turn_until(lambda: list(made.fake.held) == ["198.51.100.1"])
    assert list(made.banning.bans) == ["198.51.100.1"]


@pytest.mark.parametrize("ignored", ["192.0.2.7", "192.0.2.0/24"])
def test_ban_of_who_is_ignored_now_was_a_mistake_and_counts_no_more(bench: Make, ignored: str) -> None:
    growing = banner(HOUR, escalation=Escalation(factor=2.0))
    made = bench()
    made.meet("192.0.2.7", "198.51.100.1", made=growing)
    made.banning.take_up(settings(ignored))
    made.banning.take_up(settings())
    made.pass_time(2 * HOUR)
    made.banning.offenders.expire(made.now)
    assert [note.partition(" for ")[2] for note in made.meet("192.0.2.7", "198.51.100.1", made=growing)] == [
        "1h",
        "2h (ban number 2)",
    ]


def test_reload_that_ignores_very_many_is_quick_and_says_so_in_few_lines(bench: Make) -> None:
    one = bench()
    one.meet(*(f"2001:db8:{number:x}::1" for number in range(20_000)))
    begin, said = time.monotonic(), len(one.said)
    one.banning.take_up(settings("2001:db8::/32"))
    assert time.monotonic() - begin < 10.0
    assert not one.fake.held and len(one.said) - said < 20


def test_reload_with_the_first_rule_that_bans(bench: Make) -> None:
    one = bench(replace(settings(), rules=()))
    assert not one.fakes
    one.banning.take_up(settings())
    assert one.fake.is_open


def test_many_are_restored_at_once(bench: Make, store: Store) -> None:
    one = bench()
    one.meet(*(str(ipaddress.IPv4Address(0x0B000000 + number)) for number in range(20_000)))
    assert one.fake.batches == [20_000]
    one.commits.last()
    second = Bench(settings(), store)
    second.banning.start()
    assert len(second.fake.held) == 20_000
    second.close()


# Escalation


def test_bans_grow_until_they_are_forgiven(bench: Make) -> None:
    made = bench()
    rule = banner(60.0, escalation=Escalation(factor=3.0, longest=500.0, decay=100.0))
    said = []
    for pause in (0.0, 61.0, 181.0, 501.0):
        made.pass_time(pause)
        said += made.meet("192.0.2.7", made=rule)
    assert said == [
        "banning 192.0.2.7 for 1m",
        "banning 192.0.2.7 for 3m (ban number 2)",
        "banning 192.0.2.7 for 8m20s (ban number 3)",
        "banning 192.0.2.7 for 8m20s (ban number 4)",
    ]
    assert made.meet("192.0.2.8", made=rule) == ["banning 192.0.2.8 for 1m"]
    made.pass_time(501.0 + 100.0)
    assert made.meet("192.0.2.7", made=rule) == ["banning 192.0.2.7 for 8m20s (ban number 3)"]
    made.pass_time(501.0 + 300.0)
    assert made.meet("192.0.2.7", made=rule) == ["banning 192.0.2.7 for 1m"]


def test_lines_of_who_is_banned_do_not_count_again(bench: Make) -> None:
    made = bench()
    rule = banner(60.0, escalation=Escalation(factor=2.0))
    made.meet("192.0.2.7", "192.0.2.7", made=rule)
    made.pass_time(61.0)
    assert made.meet("192.0.2.7", made=rule) == ["banning 192.0.2.7 for 2m (ban number 2)"]
    made.pass_time(30.0)
    assert made.meet("192.0.2.7", made=rule) == ["banning 192.0.2.7 for 2m (ban number 2)"], "for as long, from now on"
    made.pass_time(121.0)
    assert made.meet("192.0.2.7", made=rule) == ["banning 192.0.2.7 for 4m (ban number 3)"]


def test_bans_of_other_rules_count_or_not(bench: Make) -> None:
    made = bench()
    everywhere, alone = Escalation(factor=2.0), Escalation(factor=2.0, per_rule=True)
    for escalation in (everywhere, alone):
        for name in ("one", "other"):
            made.meet("192.0.2.7", made=replace(banner(60.0, escalation=escalation), name=name))
            made.pass_time(1000.0)
    assert made.banning.offenders.count("192.0.2.7", "", made.now) == 2
    assert [made.banning.offenders.count("192.0.2.7", name, made.now) for name in ("one", "other")] == [1, 1]


def test_growth_outlasts_the_daemon(bench: Make) -> None:
    rule = banner(60.0, escalation=Escalation(factor=2.0))
    first = bench()
    first.meet("2001:db8::7", made=rule)
    first.commits.last()
    second = bench()
    assert held(second, "2001:db8::/64").nth == 1
    second.pass_time(61.0)
    assert second.meet("2001:db8::8", made=rule) == ["banning 2001:db8::/64 for 2m (ban number 2)"]
    second.commits.last()
    assert [ban.nth for ban, _ in second.banning.history("2001:db8::/64")][0] == 2


def test_whoever_is_unbanned_by_name_begins_anew(bench: Make) -> None:
    made = bench()
    rule = banner(60.0, escalation=Escalation(factor=2.0))
    for lift in ({"all": True}, {"networks": ["192.0.2.7"]}):
        made.meet("192.0.2.7", made=rule)
        made.banning.unban(**lift)
    assert made.meet("192.0.2.7", made=rule) == ["banning 192.0.2.7 for 1m"]


def test_whoever_was_within_an_unbanned_prefix_begins_anew(bench: Make) -> None:
    """It was a mistake to ban him, by himself or with his neighbours."""
    growing, wide = (make(escalation=Escalation(factor=2.0)) for make in (banner, widening))
    made = bench(replace(settings(), rules=(growing, wide)))
    made.meet("192.0.2.1", "192.0.3.1", made=growing)
    made.meet("192.0.2.1", made=wide)
    assert made.banning.unban(["192.0.2.0/24"]) == ["192.0.2.0/24"]
    assert made.meet("192.0.2.1", made=growing) == ["banning 192.0.2.1 for 1h"]
    made.pass_time(HOUR + 1)
    assert made.meet("192.0.3.1", made=growing) == ["banning 192.0.3.1 for 2h (ban number 2)"]


def test_ban_for_ever_does_not_grow(bench: Make) -> None:
    made = bench()
    assert made.meet("192.0.2.7", made=banner(None, escalation=Escalation(factor=2.0))) == ["banning 192.0.2.7 for ever"]


def test_nobody_can_foresee_the_end(bench: Make) -> None:
    made = bench()
    rule = banner(1000.0, escalation=Escalation(part=0.5))
    for number in range(50):
        made.meet(f"192.0.2.{number}", made=rule)
    ends = {held(made, network).until for network in made.banning.bans}
    assert len(ends) > 40 and all(1000 <= (end or 0) - made.now <= 1500 for end in ends)


# Prefixes


def widening(prefix: int = 24, **options: Any) -> Rule:
    return replace(banner(HOUR, prefix4=prefix, widened=True, **options), name=f"r/{prefix}", of="r")


def test_prefix_takes_the_place_of_what_is_within(bench: Make) -> None:
    made = bench(replace(settings(), rules=(BANS, widening())))
    made.meet(*(f"192.0.2.{host}" for host in range(1, 6)), "192.0.3.1")
    made.meet("192.0.2.9", made=banner(None))
    assert made.meet("192.0.2.5", made=widening()) == ["banning 192.0.2.0/24 for 1h in place of 5 bans within"]
    assert sorted(made.banning.bans) == ["192.0.2.0/24", "192.0.2.9", "192.0.3.1"], "who is banned for longer stays so"
    assert sorted(made.fake.held) == sorted(made.banning.bans)
    assert made.banning.bans.get("192.0.2.0/24").rule == "r"  # type: ignore[union-attr]
    assert made.meet("192.0.2.77") == ["192.0.2.0/24 is banned already, for 1h more"]
    made.banning.unban(["192.0.2.0/24"])
    assert list(made.fake.held) == ["192.0.3.1"]
    made.commits.last()
    assert made.banning.history("192.0.2.1")[0][1].how == "part of 192.0.2.0/24"  # type: ignore[union-attr]


def test_prefix_and_its_last_address_come_together(bench: Make) -> None:
    """Both triggers of one line: the address alone never reaches the firewall."""
    made = bench(replace(settings(), rules=(BANS, widening())))
    triggers = [(trigger("192.0.2.1", made.now, 1), BANS), (trigger("192.0.2.1", made.now, 1, "r/24"), widening())]
    made.banning.meet(triggers)
    assert list(made.fake.held) == ["192.0.2.0/24"]


@pytest.mark.parametrize(
    ("ignored", "address", "why"),
    [
        ("192.0.2.200", "192.0.2.1", "192.0.2.0/24 holds addresses of the ignore list"),
        ("", "10.9.9.77", "10.9.9.0/24 holds an address of this machine"),
    ],
)
def test_prefix_is_never_banned_over_somebody_who_is_spared(bench: Make, ignored: str, address: str, why: str) -> None:
    made = bench(settings(*ignored.split()))
    made.meet(address)
    assert made.meet(address, made=widening()) == [f"not banned: {why}"]
    assert list(made.fake.held) == [address]


def test_folding_among_100_000_bans_is_quick(bench: Make) -> None:
    made = bench(replace(settings(), rules=(BANS, widening(16))))
    made.banning.bans.restore(
        Ban(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", made.now, made.now + HOUR, "r") for n in range(100_000)
    )
    made.banning.meet([(trigger("192.0.0.1", made.now), BANS)])
    took = []
    for number in range(20):
        made.meet(*(f"192.{number}.0.{host}" for host in range(1, 21)))
        began = time.perf_counter()
        made.meet(f"192.{number}.0.1", made=widening(16))
        took.append(time.perf_counter() - began)
    assert min(took) < 0.005


# Those who are let in

LOGIN = replace(rule("login of %s from %s", "user ip", name="in"), trust=7 * 86_400.0)


def one_of(made: Bench, address: str, user: str, by: Rule = BANS, number: int = 0) -> str:
    """What is said of an event with a user."""
    event = replace(trigger(address, made.now, number, by.name), fields={"user": user, "ip": address})
    return made.banning.meet([(event, by)]).get(event.id, "")


def test_live_session_is_tried_first(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a day, whoever it is that fails; the second ban is a full one."""
    monkeypatch.setattr(sessions, "live", lambda: {"192.0.2.7": "bob"})
    made = bench()
    assert one_of(made, "192.0.2.7", "root") == "banning 192.0.2.7 for 1m"
    assert made.told(0) == [
        "192.0.2.7: bob is logged in from there over SSH, and fails by rule r: banned for 1m only, this once today; "
        "to lift that now: logtrigger unban 192.0.2.7"
    ]
    made.pass_time(30.0)
    assert one_of(made, "192.0.2.7", "root", number=1) == "192.0.2.7 is banned already, for 30s more"
    made.pass_time(31.0)
    assert one_of(made, "192.0.2.7", "root", number=2) == "banning 192.0.2.7 for 1h"
    assert one_of(made, "192.0.2.8", "root") == "banning 192.0.2.8 for 1h"
    made.pass_time(90_000.0)
    assert one_of(made, "192.0.2.7", "root", number=3) == "banning 192.0.2.7 for 1m"
    assert len(made.told(0)) == 2


def test_login_excuses_failures_of_its_user_only(bench: Make) -> None:
    made = bench()
    assert one_of(made, "192.0.2.7", "bob", LOGIN) == "trusting 192.0.2.7 with failures of bob for 7d"
    assert one_of(made, "192.0.2.7", "root") == "banning 192.0.2.7 for 1h"
    one_of(made, "2001:db8::7", "bob", LOGIN)
    assert one_of(made, "2001:db8::8", "bob") == "banning 2001:db8::/64 for 1m", "of one /64, as they are banned"
    made.pass_time(8 * 86_400.0)
    assert one_of(made, "2001:db8::8", "bob", number=1) == "banning 2001:db8::/64 for 1h", "that was long ago"


def test_trust_and_trial_outlast_the_daemon(bench: Make) -> None:
    first = bench()
    for address in ("192.0.2.7", "192.0.2.8"):
        one_of(first, address, "bob", LOGIN)
    one_of(first, "192.0.2.7", "bob")
    first.commits.last()
    second = bench()
    second.pass_time(61.0)
    assert one_of(second, "192.0.2.7", "bob") == "banning 192.0.2.7 for 1h", "its trial was today"
    assert one_of(second, "192.0.2.8", "bob") == "banning 192.0.2.8 for 1m"


def test_guard_can_be_switched_off(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "live", lambda: {"192.0.2.7": "bob"})
    made = bench(settings(guard=False))
    assert one_of(made, "192.0.2.7", "bob") == "banning 192.0.2.7 for 1h"
    assert made.meet("192.0.2.9", made=widening()) == ["banning 192.0.2.0/24 for 1h in place of 1 ban within"]


def test_trial_is_no_ban_that_counts(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "live", lambda: {"192.0.2.7": "bob"})
    made = bench()
    growing = banner(HOUR, escalation=Escalation(factor=2.0))
    assert one_of(made, "192.0.2.7", "bob", growing) == "banning 192.0.2.7 for 1m"
    made.pass_time(61.0)
    assert one_of(made, "192.0.2.7", "bob", growing, 1) == "banning 192.0.2.7 for 1h"


def test_prefix_of_who_is_logged_in_is_not_banned(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench()
    one_of(made, "192.0.2.200", "bob", LOGIN)
    assert made.meet("192.0.2.1", made=widening()) == [
        "not banned: 192.0.2.0/24 holds an address from which somebody has logged in"
    ]
    monkeypatch.setattr(sessions, "live", lambda: {"198.51.100.7": "bob"})
    made.pass_time(10.0)
    assert made.meet("198.51.100.1", made=widening())[0].startswith("not banned: 198.51.100.0/24 holds")


def test_short_bans_are_as_they_are(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "live", lambda: {"192.0.2.7": "bob"})
    made = bench()
    assert one_of(made, "192.0.2.7", "bob", banner(30.0)) == "banning 192.0.2.7 for 30s"
    assert made.told(0) == []


# Whom a command, a name or a file spares


def test_whoever_the_command_spares_is_let_through(bench: Make, tmp_path: Path) -> None:
    ask = tmp_path / "ask.sh"
    ask.write_text('#!/bin/sh\n[ "$LT_ip" = 192.0.2.7 ]\n')
    ask.chmod(0o700)
    made = bench(replace(settings(), ignore_command=(str(ask),)))
    assert made.meet("192.0.2.7", "192.0.2.8") == ["banning 192.0.2.7 for 1h", "banning 192.0.2.8 for 1h"]
    made.turn_until(lambda: "192.0.2.7" not in made.fake.held)
    assert made.told(1)[-1] == "192.0.2.7 is spared by ignore_command: no longer banned"
    assert made.meet("192.0.2.7") == ["not banned: 192.0.2.7 is spared by ignore_command"]
    assert list(made.banning.bans) == ["192.0.2.8"]


def test_prefix_of_whom_the_command_spares_is_not_banned_again(bench: Make, tmp_path: Path) -> None:
    script = tmp_path / "asked"
    script.write_text('#!/bin/sh\ntest "$1" = 192.0.2.7\n')
    script.chmod(0o755)
    made = bench(replace(settings(), rules=(BANS, widening()), ignore_command=(str(script), "{ip}")))
    made.meet("192.0.2.7", made=widening())
    assert list(made.banning.bans) == ["192.0.2.0/24"]
    made.turn_until(lambda: not made.fake.held)
    assert made.meet("192.0.2.8", made=widening()) == ["not banned: 192.0.2.0/24 holds an address that ignore_command spares"]
    assert made.meet("192.0.2.8") == ["banning 192.0.2.8 for 1h"]


def test_file_that_changes_lifts_bans(bench: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ignoring, "_FILES_EVERY", 0.01)
    path = tmp_path / "friends"
    path.write_text("")
    made = bench(replace(settings(), ignore_files=(path,)))
    made.meet("192.0.2.7")
    path.write_text("192.0.2.0/24\n")
    made.turn_until(lambda: not made.fake.held)
    assert made.meet("192.0.2.7") == ["not banned: 192.0.2.7 is on the ignore list"]
