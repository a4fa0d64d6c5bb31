"""This machine's addresses and gateways, as the tools of the system show them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from logtrigger import hostaddresses


def ip(*arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(subprocess.check_output(["ip", "-j", *arguments]))
    return found


def test_loopback_is_ours_whatever_is_known() -> None:
    found = hostaddresses.read()
    assert "127.8.8.8" in found.own and "::1" in found.own
    assert "192.0.2.250" not in found.own


@pytest.mark.tool("ip")
def test_every_address_of_this_machine() -> None:
    found = hostaddresses.read()
    for link in ip("address"):
        for address in link["addr_info"]:  # type: ignore[attr-defined]
            assert address["local"] in found.own


@pytest.mark.tool("ip")
def test_every_gateway() -> None:
    found = hostaddresses.read()
    for route in [*ip("route"), *ip("-6", "route")]:
        if "gateway" in route:
            assert str(route["gateway"]) in found.gateways


@pytest.mark.root
@pytest.mark.tool("ip", "unshare")
def test_news_of_an_address() -> None:
    """In a network namespace of its own, so that nobody else's addresses change."""
    program = """
import subprocess, select
from logtrigger import hostaddresses
with hostaddresses.watch() as news:
    assert not select.select([news], [], [], 0)[0]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", "192.0.2.200/32", "dev", "lo"], check=True)
    assert select.select([news], [], [], 10)[0]
    found = hostaddresses.read()
    assert "192.0.2.200" in found.own and not found.gateways
"""

    subprocess.run(["unshare", "--net", sys.executable, "-c", program], check=True)
