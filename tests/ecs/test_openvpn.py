"""OpenVPN's messages: 42 of them with their documents, key for key, and the same with other names, addresses and ports."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.ecs.mapping import Mapping
from logtrigger.ecs.normaliser import Normaliser
from logtrigger.hyperscan_matcher import HyperscanMatcher
from logtrigger.matcher import LiteralMatcher
from tests.ecs.conftest import NOW, Document

SAMPLES = [json.loads(line) for line in Path(__file__).with_name("openvpn.jsonl").read_text().splitlines()]
Change = Callable[[str], str]


@pytest.mark.parametrize("wanted", SAMPLES, ids=lambda sample: sample["message"][:60])
def test_sample(document: Document, wanted: dict[str, Any]) -> None:
    assert document(wanted["message"], "openvpn") == wanted


@pytest.mark.parametrize("wanted", SAMPLES, ids=lambda sample: sample["message"][:60])
def test_the_same_in_syslog(document: Document, wanted: dict[str, Any]) -> None:
    """Behind a header it is the same, and the header's own fields besides."""
    body = re.sub(r"^2023-10-31 \S+ ", "", wanted["message"])
    line = f"<29>Oct 31 15:09:55 gate openvpn[812]: {body}"
    got = document(line)
    facts = (got.pop("host"), got.pop("process"), got["log"].pop("syslog"), got.pop("log"))
    assert facts[:2] == ({"name": "gate"}, {"name": "openvpn", "pid": 812})
    assert facts[2] == {"priority": 29, "facility": {"code": 3, "name": "daemon"}, "severity": {"code": 5, "name": "notice"}}
    assert got == {**wanted, "message": line, "@timestamp": "2023-10-31T15:09:55Z"}


@pytest.mark.parametrize(
    "build",
    [LiteralMatcher, pytest.param(HyperscanMatcher, marks=pytest.mark.package("hyperscan"))],
    ids=["plain", "hyperscan"],
)
def test_all_at_once_and_often(shipped: Mapping, build: Any) -> None:
    """What is tried one by one at first, and at once when it comes often, finds the same."""
    normaliser = Normaliser(shipped.only(["openvpn"]), NOW, build=build)
    data = "".join(f"{sample['message']}\n" for sample in SAMPLES).encode()
    for _ in range(250):
        found = list(normaliser.documents(data))
    assert [json.loads(one) for one in found] == SAMPLES


# Other names, addresses, ports, interfaces


def changed(value: Any, change: Change, ports: dict[int, int]) -> Any:
    """A sample with other texts in it, wherever they stand."""
    if isinstance(value, dict):
        return {name: changed(below, change, ports) for name, below in value.items()}
    if isinstance(value, list):
        return list(dict.fromkeys(changed(below, change, ports) for below in value))
    return change(value) if isinstance(value, str) else ports[value]


def replacing(pairs: dict[str, str]) -> Change:
    """All at once, so that what is put in is not looked at again."""
    found = re.compile("|".join(rf"(?<![\w.]){re.escape(old)}(?![\w])" for old in sorted(pairs, key=len, reverse=True)))
    return lambda text: found.sub(lambda match: pairs[match[0]], text)


letters = st.characters(categories=["Lu", "Ll", "Lo", "Nd"])
names = st.text(letters | st.sampled_from(" ._-@"), min_size=1, max_size=30).filter(lambda text: text == text.strip())
words = st.text(st.sampled_from("abcxyzABC0123456789_-"), min_size=1, max_size=15)
v4 = st.ip_addresses(v=4).map(str)
ports = st.integers(1, 65535)


@given(
    name=names, address=v4, virtual=st.tuples(v4, v4, v4, v4), gateway=v4, port=st.tuples(ports, ports), tun=words, eth=words
)
def test_other_values_give_the_corresponding_documents(
    document: Document,
    name: str,
    address: str,
    virtual: tuple[str, ...],
    gateway: str,
    port: tuple[int, int],
    tun: str,
    eth: str,
) -> None:
    pairs = {"client01": name, "165.225.204.88": address, "172.31.32.1": gateway, "tun0": tun, "eth0": eth}
    pairs |= dict(zip(("10.8.0.1", "10.8.0.2", "10.8.0.4", "10.8.0.6"), virtual, strict=True))
    pairs |= {"59321": str(port[0]), "62586": str(port[1])}
    change = replacing(pairs)
    for sample in SAMPLES:
        wanted = changed(sample, change, {59321: port[0], 62586: port[1]})
        assert document(wanted["message"], "openvpn") == wanted


@given(
    name=st.text(letters | st.sampled_from(" ._-@'"), min_size=1).filter(lambda text: text == text.strip()),
    unit=words,
    domain=st.lists(words, min_size=1, max_size=4),
)
def test_other_directories(document: Document, name: str, unit: str, domain: list[str]) -> None:
    dn = f"CN={name},OU={unit},{','.join(f'DC={part}' for part in domain)}"
    got = document(f'Incorrect password supplied for LDAP DN "{dn}".', "openvpn")
    assert got["user"] == {"name": name, "domain": ".".join(domain)}
    assert got["related"] == {"user": [name]}
    assert document(f'LDAP user "{name}" was not found.', "openvpn")["user"] == {"name": name}
    assert document(f"Unable to bind as {name}", "openvpn")["user"] == {"name": name}


# As OpenVPN prints it: no port where the address is written before a message, but where it is written with its family.
@given(address=st.ip_addresses(v=6).map(str).filter(lambda text: not text.startswith("::ffff:")), name=names, port=ports)
def test_addresses_of_ipv6(document: Document, address: str, name: str, port: int) -> None:
    stamp = "2023-10-31 15:09:59"
    named = {"address": name, "domain": name, "ip": address}
    bare = {"address": address, "ip": address}
    table: list[tuple[str, dict[str, Any]]] = [
        (f"{name}/{address} MULTI: Learn: 10.8.0.6 -> {name}/{address}", {**named, "nat": {"ip": "10.8.0.6"}}),
        (
            f"{name}/{address} MULTI: primary virtual IPv6 for {name}/{address}: 2001:db8:8::6",
            {**named, "nat": {"ip": "2001:db8:8::6"}},
        ),
        (f"{address} [{name}] Peer Connection Initiated with [AF_INET6]{address}:{port}", {**named, "port": port}),
        (f"{address} VERIFY OK: depth=0, CN={name}", bare),
        (f"{address} peer info: IV_VER=2.6.6", bare),
        (f"{name}/{address} peer info: IV_VER=2.6.6", named),
        (
            f"{address} Control Channel: TLSv1.3, cipher TLSv1.3 TLS_AES_256_GCM_SHA384, peer certificate: 2048 bit RSA",
            bare,
        ),
        (f"IFCONFIG POOL IPv6: base={address} size=65536 netbits=112", bare),
        (f"ifconfig_pool_read(), in='{name},10.8.0.4,{address}'", {"address": name, "domain": name, "ip": "10.8.0.4"}),
        (f"{name},10.8.0.4,{address}", {"address": name, "domain": name, "nat": {"ip": "10.8.0.4"}}),
    ]
    for message, client in table:
        got = document(f"{stamp} {message}", "openvpn")
        assert got["client"] == client, message
        assert address in got["related"]["ip"], message
    got = document(f"{stamp} net_addr_v6_add: {address}/64 dev tun0", "openvpn")
    assert got["observer"] == {"ip": address, "ingress": {"interface": {"name": "tun0"}}}


def test_the_header_that_only_looks_like_one(document: Document) -> None:
    """In a file of its own `MULTI:` stands where a header of syslog has its program."""
    line = "2023-10-31 15:09:59 client01/165.225.204.88:59321 MULTI: Learn: 10.8.0.6 -> client01/165.225.204.88:59321"
    assert document(line, "openvpn")["client"]["port"] == 59321
    assert document(line) == {"@timestamp": "2023-10-31T15:09:59Z", "message": line} | {
        "host": {"name": "client01/165.225.204.88:59321"},
        "process": {"name": "MULTI"},
    }


def test_times_of_older_versions_and_microseconds(document: Document) -> None:
    for stamp in ("Tue Oct 31 15:09:59 2023", "2023-10-31 15:09:59"):
        assert document(f"{stamp} TUN/TAP device tun0 opened", "openvpn")["@timestamp"] == "2023-10-31T15:09:59Z"
        line = f"{stamp} us=12345 TUN/TAP device tun0 opened"
        assert document(line, "openvpn")["@timestamp"] == "2023-10-31T15:09:59.012Z"
        assert document(line, "openvpn")["observer"] == {"ingress": {"interface": {"name": "tun0"}}}


@pytest.mark.parametrize(
    "line",
    [
        "2023-10-31 15:09:59 LDAP user \"x\" was not found. And more",
        "2023-10-31 15:09:59 said: Unable to bind as bob",
        "2023-10-31 15:09:59 client01/165.225.204.88:59321 peer information: IV_VER=2.6.6",
        "2023-10-31 15:09:59 165.225.204.888:59321 peer info: IV_VER=2.6.6",
    ],
)  # fmt: skip
def test_a_message_is_matched_as_a_whole(document: Document, line: str) -> None:
    assert document(line, "openvpn") == {"@timestamp": "2023-10-31T15:09:59Z", "message": line}


FORGED = "10.0.0.9"  # the address that a stranger wants in a document


@pytest.mark.parametrize(
    "chosen",
    [
        f"a/{FORGED}:1 MULTI: Learn: 10.8.0.6 -> x",
        f"a/{FORGED}:1 MULTI: primary virtual IP for a: 10.8.0.6",
        f"a/{FORGED}:1 VERIFY OK: depth=0, CN=root",
        f"a/{FORGED}:1 VERIFY ERROR: depth=0, error=x: CN=root",
        f"a/{FORGED}:1 TLS Auth Error: Auth Username/Password verification failed for peer",
        f"a/{FORGED}:1 SENT CONTROL [root]: 'PUSH_REPLY' (status=1)",
        f"a/{FORGED}:1 peer info: IV_VER=2",
        f"a [b] Peer Connection Initiated with [AF_INET]{FORGED}:1",
        f"bob,{FORGED},",
    ],
)
@pytest.mark.parametrize(
    "line",
    [
        "192.0.2.7:1 VERIFY ERROR: depth=0, error=self-signed certificate: CN={0}",
        "bob/192.0.2.7:1 VERIFY ERROR: depth=0, error=self-signed certificate: CN={0}",
        "udp6:192.0.2.7:1 VERIFY ERROR: depth=0, error=self-signed certificate: CN={0}",
        "192.0.2.7:1 peer info: UV_X={0}",
        "PLUGIN AUTH-PAM: BACKGROUND: USER: {0}",
        "PLUGIN AUTH-PAM: BACKGROUND: deferred auth for '{0}', pid=7",
        "PLUGIN AUTH-PAM: BACKGROUND: user '{0}' failed to authenticate: Authentication failure",
        'LDAP user "{0}" was not found.',
        "192.0.2.7:1 WARNING: Received unknown control message: {0}",
        "192.0.2.7:1 WARNING: '{0}' is used inconsistently, local='', remote='{0}'",
    ],
)
def test_no_stranger_writes_an_address_or_a_name(document: Document, line: str, chosen: str) -> None:
    """What a certificate, a client or who asks for a password says of himself stays one field's text."""
    got = document(f"2023-10-31 15:09:59 {line.format(chosen)}", "openvpn")
    client = got.get("client", {})
    assert client.get("ip", "192.0.2.7") == "192.0.2.7" and "nat" not in client
    assert client.get("domain", "bob") == "bob"
    assert FORGED not in got.get("related", {}).get("ip", [])


@pytest.mark.parametrize("program", ["openvpn", "ovpn-server", "openvpn(server)", "openvpn_server1"])
def test_names_that_systems_give_the_program(document: Document, program: str) -> None:
    got = document(f"Oct 31 15:09:59 gate {program}[812]: 192.0.2.7:1 TLS Error: TLS handshake failed")
    assert (got["client"]["ip"], got["process"]["name"]) == ("192.0.2.7", program)
