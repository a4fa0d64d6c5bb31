"""Which matcher is used: the fastest that is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from logtrigger.engine import MatcherFactory
from logtrigger.matcher import LiteralMatcher, Matcher, Owner

CHOICE = "LOGTRIGGER_ENGINE"  # environment variable: "python" keeps to what needs no compiled package


def fastest(
    cache: Path | None, report: Callable[[int, str], None], *, keep: bool = True, spare: Path | None = None
) -> MatcherFactory:
    """Makes matchers with Hyperscan where it is installed (extra `speed`), else in plain Python. They find the same.

    Args:
        cache: a folder of ours with compiled patterns; None: there is none.
        keep: whether to write there what had to be compiled.
        spare: another such folder, for what is not to be kept there.
        report: told, with a debug level, where Hyperscan is installed and of no use.
    """

    def build(owners: Sequence[Owner]) -> Matcher:
        if os.environ.get(CHOICE) == "python":
            return LiteralMatcher(owners)
        try:
            from logtrigger.hyperscan_matcher import HyperscanMatcher, cache_of

            path = cache_of(cache, owners) if cache else None
            if keep or spare is None or (path is not None and _is_ours(path)):
                return HyperscanMatcher(owners, path, keep=keep)
            return HyperscanMatcher(owners, cache_of(spare, owners))
        except ImportError:
            return LiteralMatcher(owners)
        except ValueError as error:
            report(0, f"hyperscan cannot be used: {error}; matching goes on in Python, slower")
            return LiteralMatcher(owners)

    return build


def user_cache(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where the caches of a user's own commands lie; None: there is no such place."""
    home = environ.get("XDG_CACHE_HOME") or (os.path.join(environ["HOME"], ".cache") if environ.get("HOME") else "")
    return Path(home) / "logtrigger" if os.path.isabs(home) else None


def _is_ours(path: Path) -> bool:
    try:
        return path.stat().st_uid == os.geteuid()
    except OSError:
        return False
