"""A configuration as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.errors import ConfigError

Write = Callable[[str, str], Path]


def test_daemon_options(write: Write) -> None:
    text = (
        "config logtrigger\n option state /x/y.db\n list ignore '10.0.0.0/8 192.0.2.1'\n option script_timeout 2m\n"
        " option script_parallel 2\n option max_keys 10\n option max_line 4K\n option late 1h\n"
    )
    settings, warnings = config.load(write("rules.conf", text))
    assert (settings.path, settings.state, settings.rules, warnings) == (Path("rules.conf"), Path("/x/y.db"), (), ())
    assert (settings.script_timeout, settings.script_parallel, settings.max_keys) == (120.0, 2, 10)
    assert (settings.max_line, settings.late, "10.9.9.9" in settings.ignore) == (4096, 3600.0, True)


def test_all_mistakes_in_order(write: Write) -> None:
    """Mistakes of the text, of the options and between rules are named in one go, warnings among them."""
    text = (
        'config rule\n option name a\n option pattern "x\\d"\n option maxfial 5\n'
        "config rule\n option name a\n option pattern 'y'\n option script /bin/sh\n option time\n"
        "config logtrigger\n option late soon\n"
    )
    with pytest.raises(ConfigError) as caught:
        config.load(write("rules.conf", text))
    found = [(one.place.line, one.severity) for one in caught.value.complaints]
    assert found == [(1, "warning"), (3, "warning"), (4, "error"), (6, "error"), (9, "error"), (11, "error")]


@pytest.mark.parametrize(
    ("user", "environ", "openwrt", "state"),
    [
        (0, {"HOME": "/root"}, False, "/var/lib/logtrigger/state.db"),
        (0, {}, True, "/tmp/logtrigger/state.db"),
        (1000, {"HOME": "/home/bob"}, False, "/home/bob/.local/state/logtrigger/state.db"),
        (1000, {"HOME": "/home/bob", "XDG_STATE_HOME": "/s"}, True, "/s/logtrigger/state.db"),
    ],
)
def test_default_state(user: int, environ: Mapping[str, str], openwrt: bool, state: str) -> None:
    assert config.default_state(user, environ, openwrt) == Path(state)
