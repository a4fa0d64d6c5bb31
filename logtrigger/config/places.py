"""Where the daemon keeps its files by default: in the system's places for root, in the user's own for anybody else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_OPENWRT_MARK = Path("/etc/openwrt_release")


def default_state(user: int | None = None, environ: Mapping[str, str] = os.environ, openwrt: bool | None = None) -> Path:
    """Where the store lies by default: in the user's own folder; for root in the system's, which is RAM on OpenWrt."""
    if (os.geteuid() if user is None else user) != 0:
        home = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME") or "~", ".local/state")
        return Path(home).expanduser() / "logtrigger/state.db"
    on_openwrt = _OPENWRT_MARK.exists() if openwrt is None else openwrt
    return Path("/tmp/logtrigger/state.db" if on_openwrt else "/var/lib/logtrigger/state.db")


def default_control(state: Path | None, user: int | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the control socket lies by default.

    Beside a store that `option state` names, so that two daemons with two stores have two sockets; else where sockets
    are looked for.
    """
    if state is not None:
        return state.with_name(f"{state.name}.control")
    if (os.geteuid() if user is None else user) == 0:
        return Path("/run" if os.path.isdir("/run") else "/var/run") / "logtrigger/control.sock"
    if environ.get("XDG_RUNTIME_DIR"):
        return Path(environ["XDG_RUNTIME_DIR"]) / "logtrigger/control.sock"
    return default_state(user, environ).with_name("control.sock")
