"""Metrics as values, and as the text that Prometheus reads: its exposition format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_IN_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Family:
    """One metric, with a value for each set of labels.

    `name` is the whole name: that of a counter ends with `_total`. Times are in seconds, sizes in bytes.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]


def text(families: Iterable[Family]) -> Iterator[str]:
    r"""The lines of the exposition, without line ends; a family without values is left out.

    >>> list(text([Family("logtrigger_bans", "gauge", "Bans that hold.", (({"rule": 'a"b'}, 2.0),))]))[2]
    'logtrigger_bans{rule="a\\"b"} 2'
    """
    for family in families:
        if not family.samples:
            continue
        yield f"# HELP {family.name} {family.help.translate(_IN_HELP)}"
        yield f"# TYPE {family.name} {family.kind}"
        for labels, value in family.samples:
            written = ",".join(f'{name}="{text.translate(_ESCAPES)}"' for name, text in labels.items())
            yield f"{family.name}{{{written}}} {_number(value)}" if written else f"{family.name} {_number(value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
