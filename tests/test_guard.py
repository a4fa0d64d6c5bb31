"""A second try for whoever is logged in: who that is, how long, how often, and for whose failures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from logtrigger import sessions
from logtrigger.guard import Guard
from logtrigger.model import Trigger, Trust
from logtrigger.rule import FirewallOptions
from tests.script import NOW, rule

HOUR, DAY = 3600.0, 86_400.0
LOGIN = replace(rule("login of %s from %s", "user ip", name="in"), trust=7 * DAY)


class Bench:
    """A guard, what it said and what it would have stored."""

    def __init__(self, **options: object) -> None:
        self.said: list[str] = []
        self.stored: list[Trust] = []
        self.passed = 100.0
        given = FirewallOptions(**options)  # type: ignore[arg-type]
        self.guard = Guard(given, self._store, lambda level, text: self.said.append(f"{level} {text}"), lambda: self.passed)

    def _store(self, trusts: Iterable[Trust]) -> None:
        self.stored += trusts

    def lasting(self, network: str, user: str = "bob", at: float = NOW, now: float | None = None, held: bool = False) -> float:
        """How long a ban of an hour lasts."""
        here = at if now is None else now
        seconds = self.guard.shortened(network, event(user, network, at), HOUR, here, is_banned=held)
        assert seconds is not None
        return seconds


def event(user: str, address: str, at: float = NOW) -> Trigger:
    return Trigger("r@s:1", "r", at, 5, (address,), {"user": user, "ip": address}, "line", "line", "log")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "live", dict)


def test_stranger_is_banned_as_the_rule_says() -> None:
    one = Bench()
    assert one.lasting("192.0.2.7") == HOUR
    assert one.guard.shortened("192.0.2.7", event("bob", "192.0.2.7"), None, NOW, is_banned=False) is None
    assert (one.said, one.stored) == ([], [])


def test_session_is_worth_a_minute_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "live", lambda: {"192.0.2.7": "bob"})
    one = Bench()
    assert one.lasting("192.0.2.7", "root") == 60.0
    assert one.said == [
        "0 192.0.2.7: bob is logged in from there over SSH, and fails by rule r: banned for 1m only, this once today; "
        "to lift that now: logtrigger unban 192.0.2.7"
    ]
    assert one.lasting("192.0.2.7", at=NOW + 20) == pytest.approx(40.0, abs=0.01), "no second offence"
    assert one.lasting("192.0.2.7", at=NOW + 61) == HOUR
    assert one.lasting("192.0.2.7", at=NOW + DAY + 1) == 60.0
    assert one.lasting("192.0.2.7", at=NOW + 3 * DAY, held=True) == HOUR, "who is banned had his try"


def test_login_is_worth_it_for_its_own_user() -> None:
    one = Bench()
    assert one.guard.trust(event("bob", "192.0.2.7"), LOGIN, NOW) == "trusting 192.0.2.7 with failures of bob for 7d"
    assert one.lasting("192.0.2.7", "root") == HOUR
    assert one.lasting("192.0.2.7", "bob") == 60.0
    assert [trust.user for trust in one.stored] == ["bob", ""]


@pytest.mark.parametrize("fields", [{"user": "", "ip": "192.0.2.7"}, {"user": "bob", "ip": ""}, {}])
def test_line_without_user_or_address_is_no_login(fields: dict[str, str]) -> None:
    one = Bench()
    assert one.guard.trust(replace(event("", ""), fields=fields), LOGIN, NOW).startswith("nobody to trust")
    assert one.stored == []


def test_name_without_end_is_nobodys() -> None:
    one = Bench()
    assert one.guard.trust(event("x" * 257, "192.0.2.7"), LOGIN, NOW) == "nobody to trust: a name of 257 characters"
    assert one.guard.trust(event("x" * 256, "192.0.2.7"), LOGIN, NOW).startswith("trusting 192.0.2.7")
    assert len(one.stored) == 1


def test_login_of_long_ago_is_none() -> None:
    one = Bench()
    one.guard.trust(event("bob", "192.0.2.7", NOW - 8 * DAY), LOGIN, NOW)
    assert one.lasting("192.0.2.7") == HOUR


def test_trial_that_was_over_before_it_was_read_of_is_not_announced() -> None:
    """Lines that are read after an outage: nobody is banned, so nobody is told how to lift it."""
    one = Bench()
    one.guard.trust(event("bob", "192.0.2.7"), LOGIN, NOW)
    assert one.lasting("192.0.2.7", at=NOW, now=NOW + 600) == 60.0
    assert one.said == []
    assert one.lasting("192.0.2.7", at=NOW + 601) == HOUR, "it was the one of today all the same"


def test_prefix_of_a_session_or_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Bench()
    assert not one.guard.holds_somebody("192.0.2.0/24", NOW)
    one.guard.trust(event("bob", "192.0.2.200"), LOGIN, NOW)
    assert one.guard.holds_somebody("192.0.2.0/24", NOW)
    assert not one.guard.holds_somebody("192.0.2.0/24", NOW + 8 * DAY)
    monkeypatch.setattr(sessions, "live", lambda: {"2001:db8::7": "bob"})
    one.passed += 3
    assert one.guard.holds_somebody("2001:db8::/56", NOW)
    assert not one.guard.holds_somebody("2001:db9::/56", NOW)


def test_switched_off() -> None:
    one = Bench(guard=False)
    one.guard.trust(event("bob", "192.0.2.7"), LOGIN, NOW)
    assert one.lasting("192.0.2.7") == HOUR
    assert not one.guard.holds_somebody("192.0.2.0/24", NOW)


def test_longer_trial_and_bans_that_are_shorter_anyway() -> None:
    one = Bench(trial=7200.0)
    one.guard.trust(event("bob", "192.0.2.7"), LOGIN, NOW)
    assert one.lasting("192.0.2.7") == HOUR
    assert one.said == []


def test_sessions_are_not_looked_up_for_each_ban(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def look() -> dict[str, str]:
        looks.append(1)
        return {}

    monkeypatch.setattr(sessions, "live", look)
    one = Bench()
    for number in range(50):
        one.lasting(f"192.0.2.{number}")
    assert len(looks) == 1
    one.passed += 3
    one.lasting("192.0.2.99")
    assert len(looks) == 2


def test_slow_look_is_not_repeated_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may start processes here must not be able to hold up bans by very many."""
    one = Bench()
    looks: list[float] = []

    def look() -> dict[str, str]:
        looks.append(one.passed)
        one.passed += 0.5
        return {}

    monkeypatch.setattr(sessions, "live", look)
    for number in range(40):
        one.lasting(f"192.0.2.{number}")
        one.passed += 1
    assert [round(later - earlier) for earlier, later in zip(looks, looks[1:], strict=False)] == [12, 12, 12]


def test_what_cannot_be_looked_up_speaks_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> dict[str, str]:
        raise PermissionError

    monkeypatch.setattr(sessions, "live", fail)
    assert Bench().lasting("192.0.2.7") == HOUR


def test_earlier_run() -> None:
    one = Bench()
    one.guard.restore([Trust("192.0.2.7", "bob", NOW + DAY), Trust("192.0.2.8", "bob", NOW - 1)], NOW)
    assert one.lasting("192.0.2.7") == 60.0
    assert one.stored[0] == Trust("192.0.2.8", "bob", 0.0), "what is over is forgotten in the store, too"
