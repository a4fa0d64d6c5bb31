"""Figures as Markdown and as a picture, and their place in docs/performance.md."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INTRODUCTION = "# Performance\n"


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure to reach, and what came out."""

    what: str
    reach: str
    measured: str
    reached: bool


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: bool = True) -> str:
    """A Markdown table, with all columns but the first to the right where they hold numbers."""
    lines = [head, ["---", *["--:" if right else "---"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def goals(found: Sequence[Goal]) -> str:
    """The goals as a table, the missed ones in bold."""
    if not found:
        return ""
    rows = [(goal.what, goal.reach, goal.measured, "yes" if goal.reached else "**no**") for goal in found]
    return table(("to reach", "goal", "measured", "reached"), rows)


def place(page: Path, name: str, text: str) -> None:
    """Put the text between the page's marks of that name, or with new marks at its end; the rest of the page stays."""
    begin, end = f"<!-- {name}: made by make bench -->", f"<!-- {name}: end -->"
    whole = page.read_text() if page.is_file() else INTRODUCTION
    section = f"{begin}\n{text.strip()}\n{end}"
    marked = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if marked.search(whole):
        whole = marked.sub(lambda _: section, whole)
    else:
        whole = f"{whole.rstrip()}\n\n{section}\n"
    page.write_text(whole)


def put(page: Path | None, name: str, text: str) -> None:
    """Place the text in a page, or print it where there is none."""
    if page is None:
        print(f"{text}\n")
    else:
        place(page, name, text)


def plot(path: Path, speeds: Mapping[str, Mapping[str, float]]) -> str:
    """Draw lines a second for each log and program; returns why not, "" when done."""
    if importlib.util.find_spec("matplotlib") is None:
        return "matplotlib is not installed (pip install '.[bench]')"
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    figure, axes = pyplot.subplots(1, len(speeds), figsize=(5 * len(speeds), 4), sharey=True, squeeze=False)
    for axis, (log, found) in zip(axes[0], speeds.items(), strict=True):
        names = list(found)[::-1]
        bars = axis.barh(names, [found[name] for name in names], color=[_colour(name) for name in names])
        axis.bar_label(bars, labels=[short(found[name]) for name in names], padding=3, fontsize=8)
        axis.set_xscale("log")
        axis.set_xlim(right=max(found.values()) * 6)
        axis.set_title(f"{log} log")
        axis.set_xlabel("lines a second, one core")
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return ""


def _colour(name: str) -> str:
    return "#1f77b4" if name.startswith("logtrigger") else "#bbbbbb"


def short(number: float) -> str:
    """Three digits are enough.

    >>> short(1234567.0), short(61234.0), short(812.3)
    ('1.23 M', '61.2 k', '812')
    """
    for unit, size in ((" M", 1e6), (" k", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"
