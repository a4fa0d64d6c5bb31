"""What a script gets to know: the LT_ variables of a trigger."""

from __future__ import annotations

from collections.abc import Iterable

from logtrigger.model import Trigger
from logtrigger.programs import PATH
from logtrigger.text import cut, safe

MAX_VALUE = 16 << 10  # bytes; Linux takes 128 KiB (execve(2), MAX_ARG_STRLEN)
MAX_ENVIRONMENT = 64 << 10  # bytes, names and all; Linux takes at least 128 KiB

_TRUNCATED = "LT_truncated"


def environment(trigger: Trigger, env: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """The whole environment of a script: PATH, what the rule adds (`env`), and the trigger's LT_ variables.

    A value over 16 KiB is cut, and where all of it would take more than 64 KiB the longest values are cut further, so
    that a long user name cannot push out an address; `LT_truncated=1` then says so.
    """
    fixed = {**dict(env), "PATH": PATH}
    wanted = {f"LT_{name}": _safe(value) for name, value in values_of(trigger).items()}
    room = MAX_ENVIRONMENT - _size(fixed) - _size(dict.fromkeys([*wanted, _TRUNCATED], "")) - len("1")
    values = _fit(wanted, room)
    if values != wanted:
        values[_TRUNCATED] = "1"
    return {**fixed, **values}


def values_of(trigger: Trigger) -> dict[str, str]:
    """In the order in which one looks for them. A field replaces the header's host, program or pid, never the rest."""
    line = {"host": trigger.host, "program": trigger.program, "pid": trigger.pid}
    values = {
        "name": trigger.rule,
        **trigger.fields,
        **trigger.extra,
        "key": " ".join(trigger.key),
        "count": str(trigger.count),
        "message": trigger.message,
        "body": trigger.body,
        **{name: value for name, value in line.items() if name not in trigger.fields},
        "source": trigger.source,
        "time": str(int(trigger.time)),
        "late": str(trigger.late),
        "id": trigger.id,
    }
    if trigger.state:
        values["state"] = trigger.state
    return {**values, "ignored": "1"} if trigger.ignored else values


def _safe(value: str) -> str:
    """Once more, at the last door: a source's path, say, is no captured text but may hold anything.

    What comes back is over MAX_VALUE, if the value was, but not much.
    """
    return safe(value[: MAX_VALUE + 1].encode("utf-8", "surrogatepass"))


def _size(variables: dict[str, str]) -> int:
    return sum(len(f"{name}={value}".encode("utf-8", "surrogateescape")) + 1 for name, value in variables.items())


def _fit(wanted: dict[str, str], room: int) -> dict[str, str]:
    """The values, in the same order, cut to what there is room for; the shortest are served first."""
    kept = dict(wanted)
    for name, value in sorted(wanted.items(), key=lambda item: len(item[1])):
        kept[name] = cut(value, max(0, min(MAX_VALUE, room)))
        room -= len(kept[name].encode())
    return kept
