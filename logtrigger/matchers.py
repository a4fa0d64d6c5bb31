"""Which matcher is used: the fastest that is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from logtrigger.engine import MatcherFactory
from logtrigger.matcher import LiteralMatcher, Matcher
from logtrigger.patterns.pattern import Pattern

CHOICE = "LOGTRIGGER_ENGINE"  # environment variable: "python" keeps to what needs no compiled package


def fastest(cache: Path | None, report: Callable[[int, str], None], *, keep: bool = True) -> MatcherFactory:
    """Makes matchers with Hyperscan where it is installed (extra `speed`), else in plain Python. They find the same.

    Args:
        cache: a folder of ours with compiled patterns; None: there is none.
        keep: whether to write there what had to be compiled.
        report: told, with a debug level, where Hyperscan is installed and of no use.
    """

    def build(owners: Sequence[Sequence[Pattern]]) -> Matcher:
        if os.environ.get(CHOICE) == "python":
            return LiteralMatcher(owners)
        try:
            from logtrigger.hyperscan_matcher import HyperscanMatcher, cache_of

            return HyperscanMatcher(owners, cache_of(cache, owners) if cache else None, keep=keep)
        except ImportError:
            return LiteralMatcher(owners)
        except ValueError as error:
            report(0, f"hyperscan cannot be used: {error}; matching goes on in Python, slower")
            return LiteralMatcher(owners)

    return build
