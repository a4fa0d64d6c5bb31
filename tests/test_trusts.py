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


def test_trust_that_grows_a_little_each_time_is_stored_now_and_then() -> None:
    """As of a machine that logs in every half a minute: a restart must not forget it."""
    trusts = Trusts()
    for seconds in range(0, 3600, 30):
        trusts.note("192.0.2.7", "bob", NOW + seconds)
        assert trusts.until("192.0.2.7", "bob") - trusts.changed[-1].until < 60
    assert len(trusts.changed) <= 61


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


def test_whoever_logs_in_from_everywhere_pushes_out_only_his_own() -> None:
    """An account and a /64 of addresses must not be enough to have others' logins forgotten."""
    trusts = Trusts(20, each=10)
    for number in range(5):
        trusts.note(f"192.0.2.{number}", "ann", NOW)
    trusts.note("192.0.2.0", ON_TRIAL, NOW)
    for number in range(1_000):
        trusts.note(f"2001:db8::{number:x}", "bob", NOW + 10)
    assert len(trusts) == 16
    assert [trusts.until(f"192.0.2.{number}", "ann") for number in range(5)] == [NOW] * 5
    assert trusts.until("192.0.2.0", ON_TRIAL) == NOW
    assert trusts.until("2001:db8::3e7", "bob") == NOW + 10, "of his own the newest stay"
    trusts.note("2001:db8::3de", "bob", NOW + 20)
    trusts.note("2001:db8::", "bob", NOW + 20)
    assert trusts.until("2001:db8::3de", "bob") == NOW + 20, "newest is what was noted last"


def test_trials_leave_half_of_the_room() -> None:
    trusts = Trusts(20, each=10)
    trusts.note("192.0.2.7", "ann", NOW)
    for number in range(1_000):
        trusts.note(f"2001:db8:0:{number:x}::/64", ON_TRIAL, NOW + 10)
    assert len(trusts) == 11 and trusts.until("192.0.2.7", "ann") == NOW


def test_many_users_push_out_who_was_noted_longest_ago() -> None:
    trusts = Trusts(20)
    for number in range(100):
        trusts.note(f"198.51.100.{number}", f"user{number}", NOW + 20)
    assert len(trusts) == 20 and trusts.users("198.51.100.0/24", NOW) == {f"user{number}" for number in range(80, 100)}
