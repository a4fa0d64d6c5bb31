"""Lines in, documents out: which dataset a line belongs to, what is made of what no event knows, of noise and endless lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.config import ecs, uci
from logtrigger.config.words import Report
from logtrigger.ecs.mapping import Mapping
from logtrigger.ecs.normaliser import Normaliser
from tests.ecs.conftest import NOW, Document, SetZone

LEARN = "client01/165.225.204.88:59321 MULTI: Learn: 10.8.0.6 -> client01/165.225.204.88:59321"


def made(mapping: Mapping, data: bytes, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(text) for text in Normaliser(mapping, NOW, **options).documents(data)]


def test_a_line_belongs_to_the_dataset_of_its_program(document: Document) -> None:
    other = "Oct 31 15:09:55 gate cron[1]: Failed password for bob from 192.0.2.7 port 53124 ssh2"
    assert "event" not in document(other)
    assert "event" not in document(other, "sshd", "openvpn")
    assert "event" not in document(other, "sshd")  # its message is all that stands behind the time


def test_what_no_event_knows(shipped: Mapping) -> None:
    data = f"2023-10-31 15:09:55 hello\n\n \t\r\n2023-10-31 15:09:59 {LEARN}\r\nwithout time\n".encode()
    openvpn = shipped.only(["openvpn"])
    first, second, third = made(openvpn, data)
    assert first == {"@timestamp": "2023-10-31T15:09:55Z", "message": "2023-10-31 15:09:55 hello"}
    assert second["message"] == f"2023-10-31 15:09:59 {LEARN}"
    assert third == {"message": "without time"}
    assert made(openvpn, data, only_known=True) == [second]


def test_local_time(document: Document, zone: SetZone, shipped: Mapping) -> None:
    zone("Europe/Helsinki")
    got = made(shipped.only(["openvpn"]), f"2023-10-31 15:09:59 {LEARN}\n".encode())
    assert got[0]["@timestamp"] == "2023-10-31T13:09:59Z"


@pytest.mark.parametrize("stamp", ["2023-13-31 15:09:55", "2023-10-31 25:09:55", "Feb 30 15:09:55"])
def test_a_time_that_does_not_exist(document: Document, stamp: str) -> None:
    assert document(f"{stamp} hello", "openvpn") == {"message": f"{stamp} hello"}


@given(st.binary(max_size=300).map(lambda data: data.replace(b"\n", b"")))
def test_noise(document: Document, noise: bytes) -> None:
    for line in (noise, b"2023-10-31 15:09:59 " + noise, b"Oct 31 15:09:55 gate sshd[812]: Invalid user " + noise):
        for names in ((), ("openvpn",), ("syslog",)):
            text = line.rstrip(b" \t\r\f\v").decode("utf-8", "replace")
            got = document(line, *names)
            assert got.get("message", "") == text


def test_bytes_that_are_no_text(document: Document) -> None:
    got = document(b"Oct 31 15:09:55 gate sshd[812]: Invalid user \xff\x00\x1b[2J%s%(x)d from 192.0.2.7 port 53124")
    assert got["user"]["name"] == "\ufffd\0\x1b[2J%s%(x)d"


def test_documents_show_a_terminal_nothing_that_moves_it(shipped: Mapping) -> None:
    line = "Oct 31 15:09:55 gate sshd[812]: Invalid user \x1b[2J\x9b\u202e from 192.0.2.7 port 53124\n"
    text = next(Normaliser(shipped, NOW).documents(line.encode()))
    assert text.isascii() and text.isprintable()


@pytest.mark.parametrize("filler", ["a", "/1.2.3.4:5 ", " from 10.0.0.9 port 1 ssh2", "CN=x,"])
def test_endless_lines(document: Document, filler: str) -> None:
    many = filler * ((1 << 20) // len(filler))
    assert document(f"2023-10-31 15:09:59 {many} MULTI: Learn: 10.8.0.6 -> x", "openvpn")["message"].endswith("-> x")
    got = document(f"Oct 31 15:09:55 gate sshd[812]: Invalid user {many} from 192.0.2.7 port 53124")
    assert got["source"]["ip"] == "192.0.2.7"
    got = document(f'Incorrect password supplied for LDAP DN "{many}DC=org".', "openvpn")
    assert got["event"]["outcome"] == "failure"


def test_a_line_by_itself(shipped: Mapping) -> None:
    normaliser = Normaliser(shipped, NOW)
    line = f"Oct 31 15:09:55 gate openvpn[812]: {LEARN}".encode()
    assert normaliser.document(line) == next(normaliser.documents(line + b"\n"))
    assert normaliser.event_of(line) == ("openvpn", "OpenVPN_Learn")
    assert normaliser.event_of(b"hello") is None
    told = json.loads(normaliser.document(b"a\nb", "2023-10-31T15:09:59Z"))
    assert told == {"@timestamp": "2023-10-31T15:09:59Z", "message": "a b"}


OWN = """
config dataset 'ours'
	list program 'sshd'
	list program 'openvpn'
config event
	option name 'Banner'
	option dataset 'ours'
	option pattern 'banner exchange: %s from %s port %d: could not read'
	option fields '- ip port'
	list set 'source.ip=ip'
	list value 'event.action=banner'
config event
	option name 'Invalid'
	option dataset 'ours'
	option pattern 'Invalid user %s from %s port %d'
	option fields 'user ip port'
	list value 'event.action=ours'
"""


@pytest.fixture
def own() -> Mapping:
    report = Report()
    mapping = ecs.with_shipped(ecs.settle(uci.parse(OWN.encode(), "own.conf", report), report), report)
    assert report.complaints == []
    return mapping


def test_two_datasets_of_one_program(own: Mapping) -> None:
    """One's own goes first, and the shipped one goes on with what it does not know."""
    head = "Oct 31 15:09:55 gate sshd[812]: "
    lines = (
        "banner exchange: Connection from 192.0.2.7 port 53124: could not read",
        "Invalid user eve from 192.0.2.7 port 53124",
        "Failed password for bob from 192.0.2.7 port 53124 ssh2",
        "nobody knows this",
    )
    banner, invalid, failed, unknown = made(own, "".join(f"{head}{line}\n" for line in lines).encode())
    assert (banner["event"], banner["source"]) == ({"action": "banner"}, {"ip": "192.0.2.7"})
    assert invalid["event"] == {"action": "ours"} and "user" not in invalid
    assert (failed["event"]["outcome"], failed["user"]) == ("failure", {"name": "bob"})
    assert unknown["host"] == {"name": "gate"} and "event" not in unknown
    (learn,) = made(own, f"Oct 31 15:09:55 gate openvpn[812]: {LEARN}\n".encode())
    assert learn["client"]["port"] == 59321


def test_a_dataset_without_programs_hides_no_shipped_one() -> None:
    report = Report()
    text = OWN.replace("\tlist program 'sshd'\n\tlist program 'openvpn'\n", "")
    mapping = ecs.with_shipped(ecs.settle(uci.parse(text.encode(), "own.conf", report), report), report)
    assert report.complaints == []
    banner, unknown = made(
        mapping,
        b"Oct 31 15:09:55 gate cron[1]: banner exchange: Connection from 192.0.2.7 port 53124: could not read\n"
        b"Oct 31 15:09:55 gate cron[1]: hello\n",
    )
    assert banner["event"] == {"action": "banner"}
    assert (unknown["host"], unknown["process"]) == ({"name": "gate"}, {"name": "cron", "pid": 1})


@pytest.mark.parametrize(
    "head",
    [
        "<165>1 2023-10-31T15:09:55.003Z gate sshd 812 - - ",
        "<165>1 2023-10-31T15:09:55.003Z gate sshd 812 ID47 - ",
        "<165>1 2023-10-31T15:09:55.003Z gate sshd 812 - -  ",
        '<165>1 2023-10-31T15:09:55.003Z gate sshd 812 - [a@32473 x="1\\] y" z="\\]\\"\\]"][b c="d"] ',
        "<165>1 2023-10-31T16:09:55.003+01:00 gate sshd 812 - - \ufeff",
    ],
)
def test_lines_of_rfc_5424(document: Document, head: str) -> None:
    """A dataset knows its messages there, whatever their structured data hold."""
    for names in ((), ("sshd",), ("sshd", "openvpn")):
        got = document(f"{head}Failed password for bob from 192.0.2.7 port 53124 ssh2", *names)
        assert got["@timestamp"] == "2023-10-31T15:09:55.003Z"
        assert (got["source"]["ip"], got["user"], got["event"]["outcome"]) == ("192.0.2.7", {"name": "bob"}, "failure")
        assert (got["host"], got["process"]) == ({"name": "gate"}, {"name": "sshd", "pid": 812})
        assert got["log"]["syslog"]["priority"] == 165
    learned = document(f"{head.replace('sshd', 'openvpn')}{LEARN}")
    assert learned["client"]["nat"] == {"ip": "10.8.0.6"} and learned["process"]["name"] == "openvpn"
