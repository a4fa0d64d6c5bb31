"""What our chain holds, for each IP version and all options."""

from __future__ import annotations

import pytest

from logtrigger.firewall.chains import plans
from logtrigger.rule import FirewallOptions

SET4 = "-m set --match-set logtrigger4 src"
SET6 = "-m set --match-set logtrigger6 src"


@pytest.mark.parametrize(
    ("options", "version", "rules"),
    [
        (FirewallOptions(), 4, [f"{SET4} -j DROP"]),
        (FirewallOptions(), 6, [f"{SET6} -j DROP"]),
        (FirewallOptions(protocol="udp"), 4, [f"-p udp {SET4} -j DROP"]),
        (FirewallOptions(protocol="tcp", ports=(22, 80)), 4, [f"-p tcp -m multiport --dports 22,80 {SET4} -j DROP"]),
        (
            FirewallOptions(ports=(53,)),
            4,
            [f"-p tcp -m multiport --dports 53 {SET4} -j DROP", f"-p udp -m multiport --dports 53 {SET4} -j DROP"],
        ),
        (
            FirewallOptions(reject=True),
            4,
            [f"-p tcp {SET4} -j REJECT --reject-with tcp-reset", f"{SET4} -j REJECT --reject-with icmp-port-unreachable"],
        ),
        (FirewallOptions(reject=True, protocol="udp"), 6, [f"-p udp {SET6} -j REJECT --reject-with icmp6-port-unreachable"]),
    ],
)
def test_rules(options: FirewallOptions, version: int, rules: list[str]) -> None:
    (plan,) = plans(options, [version])
    never = 1 if version == 4 else 4
    assert [" ".join(rule.arguments()) for rule in plan.rules[never:]] == rules
    assert all(rule.target == "RETURN" for rule in plan.rules[:never])


def test_no_rule_has_more_ports_than_fit() -> None:
    (plan,) = plans(FirewallOptions(protocol="tcp", ports=tuple(range(1, 32))), [4])
    assert [len(rule.ports.split(",")) for rule in plan.rules[1:]] == [15, 15, 1]


def test_bases() -> None:
    assert [plan.bases for plan in plans(FirewallOptions(), [4])] == [("INPUT", "FORWARD", "DOCKER-USER")]
    assert [plan.bases for plan in plans(FirewallOptions(hooks=("input",)), [4, 6])] == [("INPUT",), ("INPUT",)]
