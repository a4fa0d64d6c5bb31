"""The firewall: whether the kernel has what the daemon bans, and whether packets come past it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from logtrigger.doctor.findings import Case, Facts, Finding
from logtrigger.durations import amount, spoken
from logtrigger.firewall.chains import BASES, CHAIN
from logtrigger.firewall.nft_rules import TABLE
from logtrigger.programs import PATH
from logtrigger.rule import FirewallOptions

_OURS = ('iif "lo" ', "iif lo ", "icmpv6 type {")  # how nft lists what we accept ourselves, nft_rules.NEVER
_RECENT = 86_400.0  # seconds
_SOCKETS = ("/logtrigger/control.sock", ".db.control")  # how a daemon's socket is called where no option names it
_TIMEOUT = 20.0  # seconds for a tool
# What may be let in before us: this machine itself, and what was let in once already.
_HARMLESS = re.compile(r"-i lo\b|--(?:ct)?state (?:\w+,)*(?:RELATED|ESTABLISHED)(?:,(?:RELATED|ESTABLISHED))*\b")

# Those of Docker, podman, LXC, LXD, Incus and libvirt.
_BRIDGE = re.compile(r"docker0|br-[0-9a-f]{12}|podman\d+|cni-podman\d+|lxcbr\d+|lxdbr\d+|incusbr\d+|virbr\d+")
_TARGET = re.compile(r" -[jg] (\S+)")


def check(case: Case) -> Iterator[Finding]:
    """Compares the daemon's bans with the kernel's, and looks for what takes packets before."""
    if case.configuration is None or not case.configuration.settings.bans:
        return
    options = case.configuration.settings.firewall
    if options.backend == "null":
        yield Finding("firewall", "note", "option backend 'null': nothing is blocked")
        return
    facts = case.firewall
    if facts is None:
        return
    wrong = [*_kernel(case, facts), *_path(facts["backend"], options, case)]
    yield from wrong
    if not any(finding.is_wrong for finding in wrong):
        backend = facts["backend"] or "not asked for yet"
        yield Finding("firewall", "ok", f"{amount(facts['bans'], 'ban')}, all of them in the kernel (backend {backend})")


def _kernel(case: Case, facts: Facts) -> Iterator[Finding]:
    if facts["error"]:
        yield Finding(
            "firewall", "error", f"{facts['backend']}: {facts['error']}", "mend that; the daemon tries again by itself"
        )
        return
    if facts["missing"]:
        shown = ", ".join(facts["missing"][:3])
        text = (
            f"the kernel lacks {amount(facts['bans'] - (facts['blocked'] or 0), 'ban')} of {facts['bans']:,}, such as {shown}"
        )
        yield Finding("firewall", "error", text, "restart logtrigger, which puts them back; see who takes them away")
    if facts["blocked"] is None and facts["backend"] in ("nftables", "iptables"):
        yield Finding("firewall", "warning", "what the kernel blocks cannot be told", "try again; see the daemon's log")
    if facts["flushes"] and case.now - facts["last_flush"] < _RECENT:
        ago = spoken(max(1, round(case.now - facts["last_flush"])))
        text = f"somebody has removed our bans {_times(facts['flushes'])}, last {ago} ago"
        who = "fw4 reload, firewalld, ufw, nft flush ruleset in a script, a second logtrigger"
        remedy = f"look for who flushes the whole firewall: {who}"
        if rivals := _rivals(case):
            remedy = f"another logtrigger answers at {rivals[0]}: stop one of them, or give it option backend 'null'"
        yield Finding("firewall", "warning", text, remedy)


def _rivals(case: Case) -> list[str]:
    """Where other daemons answer: two that both have the firewall take it from each other."""
    own = "" if case.socket is None else os.path.realpath(case.socket)
    found = (path for path in case.machine.listening() if path.endswith(_SOCKETS) and os.path.realpath(path) != own)
    return sorted(found)


def _path(backend: str, options: FirewallOptions, case: Case) -> Iterator[Finding]:
    if backend == "iptables":
        for tool in ("iptables", "ip6tables"):
            yield from _behind(tool, [base for hook in options.hooks for base in BASES.get(hook, ())])
    if backend == "nftables":
        yield from _in_our_table(_listing(["nft", "-t", "list", "table", *TABLE.split()]) or ())
    if "forward" not in options.hooks and "prerouting" not in options.hooks:
        guests = sorted(path.name for path in case.machine.file("sys/class/net").glob("*") if _BRIDGE.fullmatch(path.name))
        if guests:
            where = f"the bans, which are at {' '.join(options.hooks)} only"
            text = f"what is forwarded to {', '.join(guests)} does not come past {where}"
            yield Finding("firewall", "warning", text, "option hook 'input forward'")


def _in_our_table(listed: Sequence[str]) -> Iterator[Finding]:
    """What somebody has done to our table: packets that are accepted there before they come to the bans, or nothing happens."""
    chain, is_before = "", False
    for line in map(str.strip, listed):
        if line == "flags dormant":
            text = f"the table {TABLE} is dormant, so nothing is blocked"
            yield Finding("firewall", "error", text, f"nft delete table {TABLE}; the daemon makes it anew")
        elif line.startswith("chain "):
            chain, is_before = line.split()[1], True
        elif is_before and "@" in line:
            is_before = False
        elif is_before and chain and line.endswith(" accept") and not line.startswith(_OURS):
            text = f"packets are accepted before they come to the bans, by a rule in our chain {chain}: {line}"
            yield Finding("firewall", "error", text, f"move that rule into a table of its own; nft delete table {TABLE}")
            return


def _behind(tool: str, bases: Sequence[str]) -> Iterator[Finding]:
    """Rules that accept packets before they come to our chain, be it in a chain that is jumped to."""
    listed = _listing([tool, "-w", "5", "-S"])
    if listed is None:
        return  # no such tool
    chains: dict[str, list[str]] = {}
    for line in listed:
        kind, chain, *_ = [*line.split(), "", ""]
        if kind in ("-P", "-N"):
            chains.setdefault(chain, [])
        elif kind == "-A":
            chains.setdefault(chain, []).append(line)
    for base in bases:
        if base in chains:
            accepting, is_reached = _before_ours(chains, base, frozenset())
            if not is_reached and base != "DOCKER-USER":
                text = f"{tool}: the chain {base} does not jump to {CHAIN}, so nothing is blocked there"
                yield Finding("firewall", "error", text, "restart logtrigger; see who rewrites the chain")
            elif accepting:
                text = f"{tool}: packets are accepted before they come to our chain, by {', then '.join(accepting[0])}"
                remedy = f"restart logtrigger, which puts {CHAIN} first; insert that rule behind it"
                yield Finding("firewall", "error", text, remedy)


def _before_ours(chains: Mapping[str, list[str]], chain: str, seen: frozenset[str]) -> tuple[list[tuple[str, ...]], bool]:
    """The ways, as rules one after the other, in which packets are accepted; and whether all others come to our chain here."""
    accepting = list[tuple[str, ...]]()
    for line in chains[chain]:
        target = _TARGET.search(line)
        if target is None or _HARMLESS.search(line):
            continue
        name, is_for_all = target[1], line[: target.start()].strip() == f"-A {chain}"
        if name == CHAIN and is_for_all:
            ours = takewhile(lambda own: "--match-set" not in own, chains.get(CHAIN, []))
            return [*accepting, *((line, own) for own in ours if own.endswith("-j ACCEPT"))], True
        if name == "ACCEPT":
            accepting.append((line,))
        elif name in chains and name not in seen:
            within, is_reached = _before_ours(chains, name, seen | {chain})
            accepting += [(line, *way) for way in within]
            if is_reached and is_for_all:
                return accepting, True
    return accepting, False


def _listing(command: Sequence[str]) -> list[str] | None:
    if shutil.which(command[0], path=PATH) is None:
        return None
    try:
        done = subprocess.run(command, env={"PATH": PATH}, capture_output=True, text=True, timeout=_TIMEOUT, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.splitlines() if done.returncode == 0 else None


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
