"""Configuration: UCI text to located sections to settings.

files → uci → options → merge → rules → relations → Settings
"""

from __future__ import annotations

from logtrigger.config.build import DEFAULT_PATH, Configuration, control_sockets, load, read
from logtrigger.config.files import Unreadable
from logtrigger.config.places import default_control, default_state

__all__ = [
    "DEFAULT_PATH",
    "Configuration",
    "Unreadable",
    "control_sockets",
    "default_control",
    "default_state",
    "load",
    "read",
]
