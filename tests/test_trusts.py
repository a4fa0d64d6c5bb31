"""Good logins by address and user."""

from __future__ import annotations

from logtrigger.model import Trust
from logtrigger.trusts import ON_TRIAL, Trusts

NOW = 1_000_000.0


def test_users_of_a_network() -> None:
    trusts = Trusts()
    trusts.note("192.0.2.7", "bob", NOW + 10)
    trusts.note("192.0.2.7", ON_TRIAL, NOW + 10)
    trusts.note("192.0.2.8", "ann", NOW + 20)
    assert trusts.users("192.0.2.7", NOW) == {"bob"}
    assert trusts.users("192.0.2.0/24", NOW) == {"bob", "ann"}
    assert trusts.users("192.0.2.0/24", NOW + 15) == {"ann"}
    assert trusts.users("192.0.3.0/24", NOW) == set()
    assert (trusts.until("192.0.2.7", ON_TRIAL), trusts.until("192.0.2.8", ON_TRIAL)) == (NOW + 10, 0.0)


def test_trust_never_becomes_shorter_and_is_stored_seldom() -> None:
    trusts = Trusts()
    for seconds in (1000, 1010, 900, 1070):
        trusts.note("192.0.2.7", "bob", NOW + seconds)
    assert trusts.until("192.0.2.7", "bob") == NOW + 1070
    assert [one.until for one in trusts.changed] == [NOW + 1000, NOW + 1070]


def test_what_is_over_is_forgotten() -> None:
    trusts = Trusts()
    trusts.restore([Trust("192.0.2.7", "bob", NOW), Trust("192.0.2.8", "bob", NOW + 10)])
    trusts.expire(NOW + 5)
    assert (trusts.changed, len(trusts)) == ([Trust("192.0.2.7", "bob", 0.0)], 1)


def test_clock_that_is_set() -> None:
    trusts = Trusts()
    trusts.note("192.0.2.7", "bob", NOW + 100.0)
    trusts.changed.clear()
    trusts.shift(1e8)
    assert trusts.users("192.0.2.7", NOW + 1e8 + 99.0) == {"bob"}
    assert trusts.users("192.0.2.7", NOW + 1e8 + 101.0) == set()
    assert trusts.changed == [Trust("192.0.2.7", "bob", NOW + 1e8 + 100.0)]


def test_memory_is_bounded() -> None:
    trusts = Trusts(3)
    for number in range(10):
        trusts.note(f"192.0.2.{number}", "bob", NOW + number)
    assert len(trusts) == 3 and trusts.users("192.0.2.0/24", 0.0) == {"bob"}
    assert trusts.until("192.0.2.6", "bob") == 0.0
