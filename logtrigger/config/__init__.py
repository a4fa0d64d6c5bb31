"""Configuration: UCI text to located sections to settings.

files → uci → options → merge → rules → relations → Settings
"""

from __future__ import annotations

from logtrigger.config.build import DEFAULT_PATH, Configuration, default_state, load, read
from logtrigger.config.files import Unreadable

__all__ = ["DEFAULT_PATH", "Configuration", "Unreadable", "default_state", "load", "read"]
