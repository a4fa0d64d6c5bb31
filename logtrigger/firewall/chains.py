"""What our chain of iptables holds, and from where it is jumped to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from logtrigger.firewall import ipset
from logtrigger.rule import FirewallOptions

CHAIN = "LOGTRIGGER"
# DOCKER-USER is there where Docker is: what it forwards to its containers never comes past a rule behind its own.
BASES = {"input": ("INPUT",), "forward": ("FORWARD", "DOCKER-USER")}
_PORTS_A_RULE = 15  # iptables-extensions(8), multiport


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRule:
    """A rule of our chain; what is empty is not asked for."""

    target: str
    interface: str = ""
    protocol: str = ""
    icmpv6_type: str = ""
    ports: str = ""  # 22,80
    ban_set: str = ""
    reject_with: str = ""

    def arguments(self) -> list[str]:
        """As the iptables tool takes it.

        >>> " ".join(ChainRule(protocol="tcp", ports="22", ban_set="logtrigger4", target="DROP").arguments())
        '-p tcp -m multiport --dports 22 -m set --match-set logtrigger4 src -j DROP'
        """
        words = ["-i", self.interface] if self.interface else []
        words += ["-p", self.protocol] if self.protocol else []
        words += ["-m", "icmp6", "--icmpv6-type", self.icmpv6_type] if self.icmpv6_type else []
        words += ["-m", "multiport", "--dports", self.ports] if self.ports else []
        words += ["-m", "set", "--match-set", self.ban_set, "src"] if self.ban_set else []
        words += ["-j", self.target]
        return words + (["--reject-with", self.reject_with] if self.reject_with else [])


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted of one IP version."""

    version: int
    rules: tuple[ChainRule, ...]
    bases: tuple[str, ...]  # chains, of those that exist


class Chains(Protocol):
    """Our chains in the filter tables of iptables and ip6tables, by whatever means."""

    def set_up(self) -> None:
        """Make our chains anew, and jump to them first of all. Raises FirewallError."""

    def look(self, done: Callable[[bool | None], None]) -> None:
        """Tell `done` later whether everything is there; None: that cannot be told now."""

    def tear_down(self) -> None:
        """Remove our chains and the jumps to them. Raises FirewallError."""

    def close(self) -> None:
        """Release what is held."""


def plans(options: FirewallOptions, versions: Iterable[int]) -> list[Plan]:
    """What the options come to."""
    bases = tuple(base for hook in options.hooks for base in BASES.get(hook, ()))
    return [Plan(version, tuple(_rules(options, version)), bases) for version in versions]


def _rules(options: FirewallOptions, version: int) -> list[ChainRule]:
    """First what is never blocked: loopback, and the discovery of neighbours and routers."""
    rules = [ChainRule(interface="lo", target="RETURN")]
    if version == 6:
        rules += [ChainRule(protocol="icmpv6", icmpv6_type=kind, target="RETURN") for kind in ("134", "135", "136")]
    protocols = [options.protocol] if options.protocol else ["tcp", "udp"] if options.ports else [""]
    if options.reject and protocols == [""]:
        protocols = ["tcp", ""]
    ports = list(map(str, options.ports))
    groups = [",".join(ports[i : i + _PORTS_A_RULE]) for i in range(0, len(ports), _PORTS_A_RULE)] or [""]
    unreachable = "icmp-port-unreachable" if version == 4 else "icmp6-port-unreachable"
    for protocol in protocols:
        answer = ("tcp-reset" if protocol == "tcp" else unreachable) if options.reject else ""
        target = "REJECT" if options.reject else "DROP"
        for group in groups:
            ban_set = ipset.NAMES[version]
            rules.append(ChainRule(protocol=protocol, ports=group, ban_set=ban_set, target=target, reject_with=answer))
    return rules
