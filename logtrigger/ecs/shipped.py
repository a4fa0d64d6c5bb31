"""Where the datasets that come with the program lie."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve()
# Beside this module where it is installed, below etc/ in a checkout.
_FOLDERS = (_HERE.with_name("datasets"), _HERE.parents[2] / "etc/logtrigger/ecs")


def files() -> list[Path]:
    """Their configuration files, in the order of their names."""
    return next((found for folder in _FOLDERS if (found := sorted(folder.glob("*.conf")))), [])
