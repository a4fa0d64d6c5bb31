"""Firewalls: one file per kind. What blocks addresses in the kernel.

A kind is a module with `make(options, host)`, which gives a Firewall that is not open yet.
"""

from __future__ import annotations

from importlib import import_module

from logtrigger.errors import FirewallError
from logtrigger.firewall.base import Entry, Firewall, Host
from logtrigger.rule import FirewallOptions

__all__ = ["AUTO", "KINDS", "Entry", "Firewall", "Host", "make"]

KINDS = ("nftables", "iptables", "script", "null")  # each is the module of that name
AUTO = "auto"  # the first of the first two that can be used here


def make(options: FirewallOptions, host: Host) -> Firewall:
    """The firewall that the options ask for; its module is imported now. It must be opened.

    Raises:
        FirewallError: there is no such kind; or none that can be used, where that is left to us.
    """
    kind = options.backend
    if kind == AUTO:
        from logtrigger.firewall.auto import choose

        kind, reason = choose()
        host.report(1, f"firewall: {kind} ({reason})")
    if kind not in KINDS:
        raise FirewallError(f"there is no firewall '{kind}': one of {AUTO}, {', '.join(KINDS)}")
    firewall: Firewall = import_module(f"logtrigger.firewall.{kind}").make(options, host)
    return firewall
