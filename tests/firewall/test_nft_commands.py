"""Which way to nftables is taken, and what is said where one is missing."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from logtrigger.errors import FirewallError
from logtrigger.firewall import nft_commands
from logtrigger.firewall.netlink import Message, News
from logtrigger.firewall.nft_commands import Commands, Library, Tool


class NoLibrary:
    """As libnftables' own binding: it begins with the library, and ends with what it has found there."""

    def __init__(self) -> None:
        raise OSError("libnftables.so.1: cannot open shared object file")

    def __del__(self) -> None:
        self.nft_ctx_free(self._Nftables__ctx)  # type: ignore[attr-defined]


@pytest.fixture(params=[None, SimpleNamespace(), SimpleNamespace(Nftables=NoLibrary)], ids=["nothing", "another", "bare"])
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A Python without the binding, or with one that has no library; what is then to be installed."""
    monkeypatch.setitem(sys.modules, "nftables", request.param)
    return "libnftables1" if hasattr(request.param, "Nftables") else r"oxl-libnftables"


def test_without_the_library_the_tool_is_used(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nft_commands, "has_program", lambda name: True)
    commands, missing = nft_commands.find()
    assert isinstance(commands, Tool)
    assert broken.replace("\\", "") in missing


def test_with_neither_it_is_said_what_to_install(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nft_commands, "has_program", lambda name: False)
    with pytest.raises(FirewallError, match=broken):
        nft_commands.find()


def library() -> Commands:
    return Library(__import__("nftables"))


@pytest.mark.root
@pytest.mark.tool("ip")
@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(library, id="library", marks=pytest.mark.package("nftables")),
        pytest.param(Tool, id="tool", marks=pytest.mark.tool("nft")),
    ],
)
def test_a_fault_is_told_and_news_of_it_bears_its_port(make: type[Tool]) -> None:
    commands = make()
    heard: list[Message] = []
    news = News(heard.append, lambda: None)
    assert commands.run("add table inet one") == ""
    news.read()
    assert {message.port for message in heard} == {commands.port}
    news.own = {commands.port}
    assert "No such file or directory" in commands.run("delete table inet two")
    assert "syntax error" in commands.run("nonsense")
    news.close()
