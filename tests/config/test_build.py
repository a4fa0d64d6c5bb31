"""A configuration as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logtrigger import config
from logtrigger.config import build
from logtrigger.config.options import SECTIONS
from logtrigger.config.uci import quote
from logtrigger.errors import ConfigError

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]


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


@pytest.mark.parametrize(
    ("state", "user", "environ", "socket"),
    [
        (None, 0, {"XDG_RUNTIME_DIR": "/run/user/0"}, "/run/logtrigger/control.sock"),
        ("/srv/a.db", 0, {}, "/srv/a.db.control"),
        (None, 1000, {"XDG_RUNTIME_DIR": "/run/user/1000", "HOME": "/home/bob"}, "/run/user/1000/logtrigger/control.sock"),
        (None, 1000, {"HOME": "/home/bob"}, "/home/bob/.local/state/logtrigger/control.sock"),
        ("/home/bob/a.db", 1000, {"XDG_RUNTIME_DIR": "/run/user/1000"}, "/home/bob/a.db.control"),
    ],
)
def test_default_control(state: str | None, user: int, environ: Mapping[str, str], socket: str) -> None:
    assert config.default_control(Path(state) if state else None, user, environ) == Path(socket)


@pytest.mark.parametrize(
    ("text", "socket"),
    [
        ("config logtrigger\n option control /x/y\n", "/x/y"),
        ("config logtrigger\n option state /x/y.db\n", "/x/y.db.control"),
        ("config logtrigger\n option control /x/y\n option control_group wheel\n option late soon\nconfig zebra\n", "/x/y"),
    ],
)
def test_control_socket_of_a_configuration_with_mistakes_too(write: Write, text: str, socket: str) -> None:
    assert config.control_sockets(write("rules.conf", text)) == (Path(socket),)


OPTIONS = [(section, name) for section, options in SECTIONS.items() for name in options]
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1) | st.text(
    "0159smhdK%su :,./*[]{}()=!<>~-ip", min_size=1, max_size=12
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(OPTIONS), VALUES), max_size=8))
def test_any_values_are_settings_or_mistakes(write: Write, chosen: list[tuple[tuple[str, str], str]]) -> None:
    """Whatever stands in an option, what comes of it is a configuration or complaints with a place, and nothing else."""
    lines = [f"config {section}\n list {name} {quote(value)}\n" for (section, name), value in chosen]
    lines += [f" option {name} {quote(value)}\n" for (_, name), value in chosen]
    try:
        config.load(write("rules.conf", "".join(lines)))
    except ConfigError as error:
        assert all(str(one).startswith("rules.conf:") for one in error.complaints)


RULE = "config rule\noption name a\noption pattern x\noption script /bin/sh\n"


@pytest.mark.parametrize("name", ["state", "control", "state_copy"])
def test_file_of_ours_that_is_a_folder(complaints: Complaints, tmp_path: Path, name: str) -> None:
    assert complaints(f"{RULE}config logtrigger\noption {name} .\n") == [
        f"rules.conf:6: error: '{name}' is a folder: {tmp_path} (name a file in it)"
    ]


@pytest.mark.parametrize("name", ["state", "control", "state_copy"])
def test_file_of_ours_that_cannot_be_looked_at(complaints: Complaints, name: str) -> None:
    """As where whoever asks may not see into its folder: the other mistakes are told all the same."""
    path = "x" * 300
    assert complaints(f"{RULE}config logtrigger\noption {name} {path}\noption late 1x\n")[0].startswith(
        "rules.conf:7: error: 'late'"
    )


def test_a_copy_of_the_store_in_its_own_place(complaints: Complaints) -> None:
    assert complaints(f"{RULE}config logtrigger\noption state /x/y.db\noption state_copy /x/y.db\n") == [
        "rules.conf:7: error: 'state_copy' is the store itself (name a file on a medium that lasts)"
    ]
    assert complaints(f"{RULE}config logtrigger\noption state /x/y.db\noption state_copy /x/z.db\n") == []


def test_metrics_ask_for_their_package(complaints: Complaints, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "find_spec", lambda name: None)
    assert complaints(f"{RULE}config logtrigger\noption metrics 9273\n") == [
        "rules.conf:6: error: 'metrics' needs the package prometheus-client (pip install prometheus-client)"
    ]


def test_followed_file_that_is_a_folder(complaints: Complaints, tmp_path: Path) -> None:
    assert complaints(f"{RULE}option file {tmp_path}\n") == [
        f"rules.conf:5: error: 'file' is a folder: {tmp_path} (name a file, or a glob such as {tmp_path}/*.log)"
    ]
    assert complaints(f"{RULE}option file {tmp_path}\noption enabled 0\n{RULE.replace(' a', ' b')}") == []
