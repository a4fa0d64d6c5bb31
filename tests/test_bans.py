"""Who is banned: every sequence of bans, ends and pardons comes out as a plain list of them would."""

from __future__ import annotations

import ipaddress
import math
import random
import time
import tracemalloc
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logtrigger.addresses import parse_network
from logtrigger.bans import Bans, Decision, Outcome
from logtrigger.model import Ban, Unban

NOW = 1_000_000.0


def ban(bans: Bans, network: str, seconds: float | None, now: float = NOW, *, rule: str = "r", line: str = "") -> Decision:
    until = None if seconds is None else now + seconds
    return bans.ban(Ban(network, now, until, rule, trigger=line, lines=(line,) if line else ()), now)


def lifted(bans: Bans, network: str) -> list[str]:
    return bans.unban(parse_network(network))


@pytest.mark.parametrize(
    ("first", "second", "outcome", "until"),
    [
        (60.0, 120.0, Outcome.EXTENDED, 130.0),
        (60.0, 50.0, Outcome.COVERED, 60.0),
        (60.0, 20.0, Outcome.COVERED, 60.0),
        (60.0, None, Outcome.EXTENDED, None),
        (None, 60.0, Outcome.COVERED, None),
        (None, None, Outcome.COVERED, None),
        (10.0, 5.0, Outcome.NEW, 15.0),
    ],
)
def test_second_ban_never_shortens(first: float | None, second: float | None, outcome: Outcome, until: float | None) -> None:
    bans = Bans(10)
    assert ban(bans, "192.0.2.7", first).outcome is Outcome.NEW
    decision = ban(bans, "192.0.2.7", second, NOW + 10)
    assert decision.outcome is outcome
    assert decision.ban.until == (None if until is None else NOW + until)
    assert bans.get("192.0.2.7") == decision.ban


def test_wider_ban_covers_for_as_long_as_it_lasts() -> None:
    bans = Bans(10)
    ban(bans, "2001:db8::/64", 60.0)
    assert ban(bans, "2001:db8::7", 60.0).ban.network == "2001:db8::/64"
    assert ban(bans, "2001:db8::7", 61.0).outcome is Outcome.NEW
    assert ban(bans, "2001:db8:0:1::7", 1.0).outcome is Outcome.NEW
    assert [found.network for found in bans.covering(ipaddress.ip_network("2001:db8::7"))] == ["2001:db8::/64", "2001:db8::7"]
    assert [found.network for found in bans.covering(ipaddress.ip_network("::ffff:192.0.2.7"))] == []


def test_lines_that_led_to_it_are_kept_in_part() -> None:
    bans = Bans(10)
    for number in range(5):
        ban(bans, "192.0.2.7", 60.0, NOW + number, line=f"line {number}")
    found = bans.get("192.0.2.7")
    assert found is not None
    assert (found.lines, found.trigger, found.times) == (("line 2", "line 3", "line 4"), "line 4", 5)


def test_unban_takes_what_lies_within() -> None:
    bans = Bans(100)
    for network in ("192.0.2.7", "192.0.2.9", "192.0.2.0/28", "192.0.3.1", "2001:db8::/64", "2001:db8::1"):
        ban(bans, network, 60.0 if "." in network else 10.0 + len(network))
    assert lifted(bans, "192.0.2.8") == []
    assert lifted(bans, "192.0.2.7") == ["192.0.2.7"]
    assert lifted(bans, "192.0.2.0/24") == ["192.0.2.9", "192.0.2.0/28"]
    assert "192.0.2.0/28" not in bans
    assert lifted(bans, "2001:db8::/32") == ["2001:db8::/64"]
    assert list(bans) == ["192.0.3.1"]


def test_unban_takes_many_prefixes_at_once() -> None:
    bans = Bans(100_000)
    for number in range(20_000):
        ban(bans, f"2001:db8:{number:x}::/64", 60.0)
    ban(bans, "192.0.2.7", 60.0)
    wanted = [parse_network(f"2001:db8:{number:x}::/64") for number in range(0, 20_000, 2)]
    begin = time.monotonic()
    assert len(bans.unban(*wanted, parse_network("192.0.2.7"), parse_network("192.0.2.0/24"))) == 10_001
    assert time.monotonic() - begin < 5.0
    assert len(bans) == 10_000


def test_lift_takes_these_very_networks_only() -> None:
    bans = Bans(100)
    for network in ("192.0.2.7", "192.0.2.0/24", "192.0.3.0/24"):
        ban(bans, network, 10.0 + len(network))
    assert bans.lift(["192.0.2.0/24", "192.0.4.0/24"]) == ["192.0.2.0/24"]
    assert list(bans) == ["192.0.2.7", "192.0.3.0/24"]


def test_unban_by_rule_and_all() -> None:
    bans = Bans(100)
    for number in range(6):
        ban(bans, f"192.0.2.{number}", 60.0, rule="odd" if number % 2 else "even")
    assert bans.by_rule() == {"even": 3, "odd": 3}
    assert bans.unban_rule("odd") == ["192.0.2.1", "192.0.2.3", "192.0.2.5"]
    assert bans.unban_all() == ["192.0.2.0", "192.0.2.2", "192.0.2.4"]
    assert len(bans) == 0 and bans.next_end() is None
    assert ban(bans, "192.0.2.0", 60.0).outcome is Outcome.NEW


def test_beyond_the_most_the_one_that_ends_first_goes() -> None:
    bans = Bans(2)
    ban(bans, "192.0.2.1", 60.0)
    ban(bans, "192.0.2.2", 30.0)
    assert ban(bans, "192.0.2.3", None).displaced == (Unban("192.0.2.2", NOW, "given up for another"),)
    assert ban(bans, "192.0.2.1", None).displaced == ()
    assert list(bans) == ["192.0.2.1", "192.0.2.3"]


def test_what_is_for_ever_goes_last_and_the_oldest_first() -> None:
    """A flood of bans for ever must not end all banning for ever."""
    bans = Bans(3)
    for number, seconds in enumerate((None, None, 60.0)):
        ban(bans, f"192.0.2.{number}", seconds)
    assert [one.network for one in ban(bans, "192.0.2.3", None).displaced] == ["192.0.2.2"]
    assert [one.network for one in ban(bans, "192.0.2.4", 60.0).displaced] == ["192.0.2.0"]
    assert list(bans) == ["192.0.2.1", "192.0.2.3", "192.0.2.4"]


def test_flood_of_shorter_bans_pushes_out_one_longer_at_most() -> None:
    bans = Bans(100)
    for number in range(100):
        ban(bans, f"192.0.2.{number}", 86_400.0 + number)
    for number in range(1_000):
        ban(bans, f"10.0.{number >> 8}.{number & 255}", 3600.0, NOW + number)
    assert [network for network in bans if network.startswith("10.")] == ["10.0.3.231"]
    assert len(bans) == 100 and "192.0.2.0" not in bans and "192.0.2.1" in bans


def test_what_somebody_asked_for_is_not_given_up() -> None:
    bans = Bans(2)
    bans.ban(Ban("192.0.2.1", NOW, NOW + 10, by="root"), NOW)
    ban(bans, "192.0.2.2", 60.0)
    assert [one.network for one in ban(bans, "192.0.2.3", 30.0).displaced] == ["192.0.2.2"]
    assert [one.network for one in bans.ban(Ban("192.0.2.4", NOW, None, by="root"), NOW).displaced] == ["192.0.2.3"]
    assert ban(bans, "192.0.2.5", None).outcome is Outcome.FULL
    assert bans.ban(Ban("192.0.2.6", NOW, None, by="root"), NOW).outcome is Outcome.FULL
    assert list(bans) == ["192.0.2.1", "192.0.2.4"]
    assert bans.next_end() == NOW + 10
    assert [one.network for one in bans.expire(NOW + 10)] == ["192.0.2.1"], "they end as others do"
    assert ban(bans, "192.0.2.5", 60.0, NOW + 10).outcome is Outcome.NEW


def test_fewer_than_there_are() -> None:
    bans = Bans(100)
    for number in range(10):
        ban(bans, f"192.0.2.{number}", 60.0 + number)
    bans.most = 4
    assert [one.network for one in bans.make_room(NOW)] == [f"192.0.2.{number}" for number in range(6)]
    assert bans.make_room(NOW) == () and len(bans) == 4


def test_clock_that_is_set_leaves_what_remains() -> None:
    bans = Bans(100)
    ban(bans, "192.0.2.1", 60.0)
    ban(bans, "192.0.2.2", None)
    bans.shift(1e8)
    assert dict(bans.remaining(NOW + 1e8)) == {"192.0.2.1": 60.0, "192.0.2.2": None}
    assert bans.expire(NOW + 1e8 + 59) == []
    assert [over.network for over in bans.expire(NOW + 1e8 + 60)] == ["192.0.2.1"]


def test_memory_of_many_bans() -> None:
    bans = Bans(1_000_000)
    tracemalloc.start()
    try:
        for number in range(20_000):
            ban(bans, str(ipaddress.IPv4Address(number << 8)), 3600.0 + number, line="x" * 150)
        assert tracemalloc.get_traced_memory()[0] < 20_000 * 450 + 1_000_000
    finally:
        tracemalloc.stop()


# Against a plain list

NETWORKS = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.0.0/24", "10.0.0.0/16", "2001:db8::1", "2001:db8::/64", "2001:db8::/48"]


@dataclass
class Plain:
    """Bans as one would write them down."""

    ends: dict[str, float] = field(default_factory=dict)

    def live(self, now: float) -> dict[str, float]:
        return {network: end for network, end in self.ends.items() if end > now}

    def ban(self, network: str, until: float, now: float) -> None:
        here = ipaddress.ip_network(network)
        for other, end in self.live(now).items():
            there = ipaddress.ip_network(other)
            wide = other != network and there.version == here.version and here.subnet_of(there)  # type: ignore[arg-type]
            if wide and end >= until and network not in self.live(now):
                return
        self.ends[network] = max(until, self.live(now).get(network, 0.0))


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["ban", "ban", "ban", "unban", "expire", "again"]),
        st.sampled_from(NETWORKS),
        st.one_of(st.none(), st.integers(1, 50).map(float)),
        st.integers(0, 20).map(float),
    ),
    max_size=40,
)


@given(ACTS)
@settings(deadline=None)
def test_as_a_plain_list(acts: list[tuple[str, str, float | None, float]]) -> None:
    bans, plain, now = Bans(100), Plain(), NOW
    for act, network, seconds, passed in acts:
        now += passed
        if act == "ban":
            ban(bans, network, seconds, now)
            plain.ban(network, math.inf if seconds is None else now + seconds, now)
        elif act == "unban":
            wide = parse_network(network)
            gone = {n for n in plain.ends if (p := parse_network(n)).version == wide.version and p.subnet_of(wide)}  # type: ignore[arg-type]
            assert {n for n in lifted(bans, network) if plain.ends[n] > now} == {n for n in gone if plain.ends[n] > now}
            plain.ends = {n: end for n, end in plain.ends.items() if n not in gone}
        elif act == "expire":
            over = {n for n, end in plain.ends.items() if end <= now}
            assert {unban.network for unban in bans.expire(now)} == over
            plain.ends = plain.live(now)
        else:  # a restart
            restored = Bans(100)
            restored.restore(found for name in bans if (found := bans.get(name)) and (found.until is None or found.until > now))
            bans, plain.ends = restored, plain.live(now)
        wanted = {n: None if end == math.inf else end - now for n, end in plain.live(now).items()}
        assert dict(bans.remaining(now)) == wanted
        ends = [end for end in plain.live(now).values() if end != math.inf]
        assert (bans.next_end() or math.inf) <= min(ends, default=math.inf)


def test_many_extensions_take_no_room() -> None:
    bans, chance = Bans(10), random.Random(7)
    for number in range(20_000):
        ban(bans, f"192.0.2.{chance.randrange(8)}", 60.0, NOW + number)
    assert len(bans._ends) < 2_000
    assert [over.network for over in bans.expire(NOW + 30_000)] and len(bans) == 0
