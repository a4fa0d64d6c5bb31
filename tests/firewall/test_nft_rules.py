"""The text that nft gets: one set for each prefix length, an own rule for what is to be answered how."""

from __future__ import annotations

import pytest

from logtrigger.firewall import nft_rules
from logtrigger.firewall.nft_rules import BanSet
from logtrigger.rule import FirewallOptions


@pytest.mark.parametrize(
    ("ban_set", "name", "match"),
    [
        (BanSet(4, 32), "ban4", "ip saddr @ban4"),
        (BanSet(4, 24), "ban4_24", "ip saddr & 255.255.255.0 @ban4_24"),
        (BanSet(6, 128), "ban6", "ip6 saddr @ban6"),
        (BanSet(6, 64), "ban6_64", "ip6 saddr & ffff:ffff:ffff:ffff:: @ban6_64"),
    ],
)
def test_a_set(ban_set: BanSet, name: str, match: str) -> None:
    assert (ban_set.name, ban_set.match) == (name, match)
    assert BanSet.named(name) == ban_set


@pytest.mark.parametrize("name", ["ban5", "ban4_33", "ban4_32", "ban6_128", "ban4_0", "ban4_024", "xban4", "ban4_", ""])
def test_other_names_are_none_of_ours(name: str) -> None:
    assert BanSet.named(name) is None


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        (FirewallOptions(), ["counter drop"]),
        (FirewallOptions(protocol="udp"), ["meta l4proto udp counter drop"]),
        (FirewallOptions(protocol="tcp", ports=(22, 80)), ["tcp dport { 22, 80 } counter drop"]),
        (FirewallOptions(ports=(53,)), ["meta l4proto { tcp, udp } th dport { 53 } counter drop"]),
        (FirewallOptions(reject=True), ["meta l4proto tcp counter reject with tcp reset", "counter reject"]),
        (FirewallOptions(reject=True, protocol="udp"), ["meta l4proto udp counter reject"]),
        (FirewallOptions(reject=True, protocol="tcp"), ["meta l4proto tcp counter reject with tcp reset"]),
        (
            FirewallOptions(reject=True, ports=(53,)),
            ["tcp dport { 53 } counter reject with tcp reset", "udp dport { 53 } counter reject"],
        ),
    ],
)
def test_verdicts(options: FirewallOptions, rules: list[str]) -> None:
    assert nft_rules.verdicts(options) == rules


def test_setting_up_replaces_chains_and_keeps_sets() -> None:
    text = nft_rules.setting_up(FirewallOptions(hooks=("input",), priority=5, max_bans=9), [BanSet(4, 32)], ["forward"])
    assert text.splitlines() == [
        "add table inet logtrigger",
        "delete chain inet logtrigger forward",
        "add chain inet logtrigger input { type filter hook input priority 5; policy accept; }",
        "add rule inet logtrigger input iif lo accept",
        "add rule inet logtrigger input icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept",
        "add set inet logtrigger ban4 { type ipv4_addr; flags timeout; size 18; }",
        "add rule inet logtrigger input ip saddr @ban4 counter drop",
    ]


def test_for_ever_has_no_timeout() -> None:
    assert "timeout" not in nft_rules.added(BanSet(4, 32), {"192.0.2.7": None})
