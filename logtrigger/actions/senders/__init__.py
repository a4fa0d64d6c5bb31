"""Senders: what tells somebody of triggers. One file per kind; KINDS is the list of them."""

from __future__ import annotations

# Type of `config action` -> its module here, which is loaded when a configuration names it.
KINDS = ("alerta", "ecs", "log", "mail", "notify", "syslog", "webhook")
