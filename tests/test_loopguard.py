"""One message that triggers one rule too often is paused, for as long as said, and nothing else is."""

from __future__ import annotations

import tracemalloc

from logtrigger.loopguard import KEYS, MOST, PAUSE, SPAN, LoopGuard, Verdict

NOW = 1_700_000_000.0


def test_a_hundred_within_ten_seconds_pass_and_one_more_does_not() -> None:
    guard = LoopGuard()
    times = [NOW + SPAN * n / MOST for n in range(MOST + 1)]  # the last one exactly SPAN after the first
    assert [guard.look("r", "body", time) for time in times] == [Verdict.ACT] * MOST + [Verdict.PAUSE]
    assert guard.look("r", "body", NOW + 20) is Verdict.PASS_OVER


def test_slower_ones_pass_for_ever() -> None:
    guard = LoopGuard()
    assert {guard.look("r", "body", NOW + n * 0.1001) for n in range(5_000)} == {Verdict.ACT}


def test_other_rules_and_other_messages_go_on() -> None:
    guard = LoopGuard()
    for _ in range(MOST + 1):
        guard.look("r", "body", NOW)
    assert guard.look("other", "body", NOW) is Verdict.ACT
    assert guard.look("r", "another", NOW) is Verdict.ACT


def test_a_pause_ends_and_tells_what_it_passed_over() -> None:
    guard = LoopGuard()
    for _ in range(MOST + 5):
        guard.look("r", "body", NOW)
    assert guard.over(NOW + PAUSE - 1) == []
    [pause] = guard.over(NOW + PAUSE)
    assert (pause.rule, pause.body, pause.passed_over) == ("r", "body", 5)
    assert guard.over(NOW + PAUSE) == []
    assert guard.look("r", "body", NOW + PAUSE) is Verdict.ACT


def test_old_lines_count_at_their_own_time() -> None:
    """A file that is caught up with holds years in a second; what lies far apart is no loop, in whatever order."""
    guard = LoopGuard()
    times = [NOW - 3600 * n for n in range(200)] + [NOW + 3600 * n for n in range(200)]
    assert {guard.look("r", "body", time) for time in times} == {Verdict.ACT}


def test_memory_is_bounded() -> None:
    """Under a flood of messages, and of messages that are paused."""
    guard = LoopGuard()
    tracemalloc.start()
    for n in range(20_000):
        guard.look("r", f"body {n}", NOW)
    flood, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert flood < 1_000_000
    small = LoopGuard(most=1, keys=10)
    for n in range(100):
        small.look("r", f"body {n}", NOW)
        small.look("r", f"body {n}", NOW)
    assert len(small.over(NOW + PAUSE)) == 10
    assert KEYS <= 10_000
