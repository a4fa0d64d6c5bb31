"""The shipped datasets: without a complaint, every sample as it says; sshd's messages and any syslog line."""

from __future__ import annotations

from typing import Any

import pytest

from logtrigger.config import ecs, ecssamples, uci
from logtrigger.config.words import Report
from logtrigger.ecs.mapping import Mapping
from logtrigger.shipped import DATASETS, files
from tests.ecs.conftest import Document

HEAD = "Oct 31 15:09:55 gate sshd[812]: "


def test_every_sample_holds_and_nothing_is_doubtful() -> None:
    report = Report()
    sections = [s for path in files(DATASETS) for s in uci.parse(path.read_bytes(), str(path), report)]
    assert [path.stem for path in files(DATASETS)] == ["openvpn", "sshd", "syslog"]
    mapping = ecs.settle(sections, report)
    assert report.complaints == []
    assert ecssamples.failures(sections, mapping) == []


def test_every_event_has_samples_on_both_sides(shipped: Mapping) -> None:
    for path in files(DATASETS):
        for section in uci.parse(path.read_bytes(), str(path), Report()):
            if section.type == "event":
                assert {"expect", "reject"} <= set(section.options), section.place


@pytest.mark.parametrize(
    ("message", "user", "outcome", "reason"),
    [
        ("Failed password for bob from 192.0.2.7 port 53124 ssh2", "bob", "failure", None),
        ("Failed publickey for bob from 192.0.2.7 port 53124 ssh2: RSA SHA256:abc", "bob", "failure", None),
        ("Failed password for invalid user John Doe from 192.0.2.7 port 53124 ssh2", "John Doe", "failure", "invalid user"),
        ("Accepted password for bob from 192.0.2.7 port 53124 ssh2", "bob", "success", None),
        ("Accepted publickey for bob from 192.0.2.7 port 53124 ssh2: ED25519 SHA256:abc", "bob", "success", None),
        ("Invalid user admin from 192.0.2.7 port 53124", "admin", "failure", "invalid user"),
        ("Connection closed by invalid user admin 192.0.2.7 port 53124 [preauth]", "admin", None, None),
        ("Disconnected from user bob 192.0.2.7 port 53124", "bob", None, None),
    ],
)
def test_sshd(document: Document, message: str, user: str, outcome: str | None, reason: str | None) -> None:
    got = document(HEAD + message)
    assert got["@timestamp"] == "2023-10-31T15:09:55Z"
    assert got["event"]["category"] == ["authentication"]
    assert (got["event"].get("outcome"), got["event"].get("reason")) == (outcome, reason)
    assert got["source"] == {"address": "192.0.2.7", "ip": "192.0.2.7", "port": 53124}
    assert got["user"] == {"name": user}
    assert got["related"] == {"ip": ["192.0.2.7"], "user": [user]}
    assert (got["host"], got["process"]) == ({"name": "gate"}, {"name": "sshd", "pid": 812})


def test_whoever_connects_cannot_write_another_address(document: Document) -> None:
    name = "x from 10.0.0.9 port 1 ssh2: from 10.0.0.9 port 1 ssh2"
    got = document(f"{HEAD}Failed password for invalid user {name} from 192.0.2.7 port 53124 ssh2")
    assert (got["source"]["ip"], got["user"]["name"]) == ("192.0.2.7", name)


@pytest.mark.parametrize(
    "message",
    [
        "Failed publickey for root from 192.0.2.7 port 22 ssh2: RSA-CERT a ID x from 10.0.0.9 port 1 ssh2: y (serial 0) CA",
        "Failed publickey for invalid user a from 192.0.2.7 port 2 ssh2: RSA-CERT a ID x from 10.0.0.9 port 1 ssh2: y (serial)",
        "Failed publickey for x from 10.0.0.9 port 1 ssh2: b c from 192.0.2.7 port 22 ssh2: RSA SHA256:abc",
        "Disconnecting authenticating user root 192.0.2.7 port 22: Change of username or service not allowed: "
        "(root,ssh-connection) -> (x 10.0.0.9 port 1: y,ssh-connection)",
        "Disconnecting invalid user x 10.0.0.9 port 1: y 192.0.2.7 port 22: Too many authentication failures [preauth]",
    ],
)
def test_neither_the_names_nor_the_certificates_of_clients_write_one(document: Document, message: str) -> None:
    assert document(HEAD + message).get("source", {}).get("ip", "192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("<38>Oct 31 15:09:55 gate cron[7]: hi", {"host": "gate", "process": {"name": "cron", "pid": 7}, "pri": 38}),
        (
            "<165>1 2023-10-31T15:09:55.003+01:00 gate.example.org app 77 ID47 - hi",
            {"host": "gate.example.org", "process": {"name": "app", "pid": 77}, "time": "14:09:55.003", "pri": 165},
        ),
        ("2023-10-31T17:09:55.5+02:00 gate app[x7]: hi", {"host": "gate", "process": {"name": "app"}, "time": "15:09:55.500"}),
        ("Tue Oct 31 15:09:55 2023 daemon.warn dnsmasq[9]: hi", {"process": {"name": "dnsmasq", "pid": 9}, "level": "warning"}),
        ("2023-10-31 15:09:55 nobody says", {}),
    ],
)
def test_any_line(document: Document, line: str, wanted: dict[str, Any]) -> None:
    got = document(line)
    assert got["message"] == line
    assert got["@timestamp"] == f"2023-10-31T{wanted.get('time', '15:09:55')}Z"
    assert got.get("host", {}).get("name") == wanted.get("host")
    assert got.get("process") == wanted.get("process")
    syslog = got.get("log", {}).get("syslog", {})
    assert syslog.get("priority") == wanted.get("pri")
    if "level" in wanted:
        assert syslog == {"facility": {"code": 3, "name": "daemon"}, "severity": {"code": 4, "name": wanted["level"]}}
    if "pri" in wanted:
        assert syslog["facility"]["code"] * 8 + syslog["severity"]["code"] == wanted["pri"]
