"""What a fill says at once is what its trigger says."""

from __future__ import annotations

import pytest

from logtrigger.model import Chunk
from logtrigger.rule import SYSTEM_LOG
from tests.script import NOW, SSHD, engine, failed, rule


@pytest.mark.parametrize("user", ["root", "b\x1bob", "#", "x" * 300, "\u00e4" * 200, "x" * 20_000])
@pytest.mark.parametrize("key", [(), ("user",), ("ip", "user")])
@pytest.mark.parametrize("every_source", [False, True])
def test_fill_is_its_trigger(user: str, key: tuple[str, ...], every_source: bool) -> None:
    one = engine(rule(SSHD, "user ip port", key=key), ignore=["192.0.2.7"], every_source=every_source)
    data = (failed(user=user) + "\r\n").encode()
    [fill] = one.fills(Chunk(SYSTEM_LOG, "log", "stream", 7, 7 + len(data), data, catching_up=True), NOW)
    trigger = fill.trigger()
    for name in ("rule", "time", "count", "key", "fields", "message", "source", "offset", "late"):
        assert getattr(fill, name) == getattr(trigger, name)
    assert trigger.ignored
    assert trigger.key == tuple(trigger.fields[name] for name in key)
