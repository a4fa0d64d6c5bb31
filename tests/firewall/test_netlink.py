"""Attributes and messages come out as they went in; the kernel is asked, and heard of."""

from __future__ import annotations

import errno
import os
import socket
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.errors import FirewallError
from logtrigger.firewall import netlink
from logtrigger.firewall.netlink import IPSET, NFTABLES, Listing, Message, Netlink, News
from tests.firewall.conftest import FakeHost
from tests.scripts.netns import Namespace

ATTRIBUTES = st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=40))


@given(ATTRIBUTES)
def test_attributes_come_back(values: dict[int, bytes]) -> None:
    body = b"".join(netlink.attribute(kind, value) for kind, value in values.items())
    assert {kind: bytes(value) for kind, value in netlink.attributes(memoryview(body)).items()} == values


@given(st.binary(max_size=200))
def test_any_bytes_come_to_an_end(data: bytes) -> None:
    list(netlink.each_attribute(memoryview(data)))


def test_flags_of_an_attribute_are_no_part_of_its_type() -> None:
    body = netlink.nested(7, netlink.number(6, 600)) + netlink.name(2, "set")
    parts = netlink.attributes(memoryview(body))
    assert list(parts) == [7, 2]
    assert netlink.text(parts[2]) == "set"
    assert bytes(netlink.attributes(parts[7])[6]) == (600).to_bytes(4, "big")
    assert netlink.text(None) == ""


@pytest.mark.root
@pytest.mark.tool("ip")
@pytest.mark.usefixtures("network")
class TestKernel:
    def test_an_error_of_the_kernel_is_raised_with_its_number(self) -> None:
        asker = Netlink()
        with pytest.raises(OSError) as caught:
            asker.ask(IPSET | 12, 2, netlink.attribute(1, b"\x06") + netlink.name(2, "missing"))
        assert caught.value.errno == errno.ENOENT
        assert asker.all_of(NFTABLES | 1, 1) == []
        asker.close()

    def test_a_listing_that_the_kernel_refuses_says_so(self, host: FakeHost) -> None:
        ends: list[bool] = []
        body = netlink.attribute(1, b"\x06") + netlink.name(2, "missing")
        Listing(host.loop, [(IPSET | 7, 2, body)], lambda message: 0, ends.append)
        host.until(lambda: ends, "an end")
        assert ends == [False]

    def test_a_listing_that_is_cancelled_says_nothing(self, host: FakeHost) -> None:
        ends: list[bool] = []
        listing = Listing(host.loop, [(NFTABLES | 1, 1, b"")], lambda message: 0, ends.append)
        listing.cancel()
        listing.cancel()
        host.settle()
        assert ends == []

    def test_an_empty_list_of_requests_is_whole(self, host: FakeHost) -> None:
        ends: list[bool] = []
        Listing(host.loop, [], lambda message: 0, ends.append)
        assert ends == []
        host.until(lambda: ends, "an end")
        assert ends == [True]

    @pytest.mark.tool("nft")
    def test_news_of_others_is_heard_and_ours_is_not(self, network: tuple[Namespace, Namespace]) -> None:
        heard: list[Message] = []
        news = News(heard.append, lambda: None)
        network[0].run("nft", "add table inet one")
        news.read()
        assert heard
        news.own = {heard[0].port}
        process = subprocess.Popen(["nft", "-f", "-"], stdin=subprocess.PIPE)
        news.own = {process.pid}
        heard.clear()
        process.communicate(b"add table inet two")
        news.read()
        assert heard == []
        news.close()

    @pytest.mark.tool("nft")
    def test_news_that_is_too_much_is_told(self, network: tuple[Namespace, Namespace], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(netlink, "_BUFFER", 1)
        heard: list[Message] = []
        overflows: list[bool] = []
        news = News(heard.append, lambda: overflows.append(True))
        network[0].run("nft", "add table inet one; add set inet one numbers { type mark; }")
        elements = ", ".join(map(str, range(5000)))
        subprocess.run(["nft", "-f", "-"], input=f"add element inet one numbers {{ {elements} }}".encode(), check=True)
        news.read()
        assert overflows
        news.close()


def test_without_permission_the_capability_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(socket.socket, "setsockopt", refuse)
    with pytest.raises(FirewallError, match="CAP_NET_ADMIN"):
        News(lambda message: None, lambda: None)
