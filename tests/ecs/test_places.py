"""Where addresses are, in the words of the Elastic Common Schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from logtrigger.ecs import places as ecs_places
from logtrigger.ecs.mapping import Mapping
from logtrigger.ecs.normaliser import Normaliser
from logtrigger.ecs.places import behind, facts
from logtrigger.places import Places
from tests.ecs.conftest import NOW

HELSINKI = {"country": "FI", "country_name": "Finland", "continent": "EU", "city": "Helsinki", "lat": "60.17", "lon": "24.94"}
NETWORK = {"asn": "64496", "as_org": 'Example "Net"'}


def look(address: str) -> Places:
    return {**HELSINKI, **NETWORK} if address == "192.0.2.7" else {}


def test_every_address_of_a_side_gains_its_place(shipped: Mapping) -> None:
    line = b"Oct 31 15:09:55 gate sshd[812]: Connection from 192.0.2.7 port 53124 on 192.0.2.1 port 22\n"
    got = json.loads(next(Normaliser(shipped, NOW, look).documents(line)))
    assert got["source"] == {
        "address": "192.0.2.7",
        "ip": "192.0.2.7",
        "port": 53124,
        "geo": {
            "city_name": "Helsinki",
            "continent_code": "EU",
            "country_iso_code": "FI",
            "country_name": "Finland",
            "location": {"lat": 60.17, "lon": 24.94},
        },
        "as": {"number": 64496, "organization": {"name": 'Example "Net"'}},
    }
    assert got["destination"] == {"ip": "192.0.2.1", "port": 22}
    assert got["related"]["ip"] == ["192.0.2.7", "192.0.2.1"]


@pytest.mark.parametrize(
    "found", [{}, {"lat": "x", "lon": "1"}, {"lat": "91", "lon": "1"}, {"lat": "nan", "lon": "1"}, {"lon": "1"}, {"asn": "x"}]
)
def test_what_is_not_known_is_not_said(found: dict[str, str]) -> None:
    assert facts(found) == {}
    assert behind(lambda address: found)("192.0.2.7") == ""


def test_what_is_known_of_an_address_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text is made once for each answer, and anew when the databases say something else."""
    made: list[Places] = []

    def counted(found: Places) -> dict[str, Any]:
        made.append(found)
        return facts(found)

    monkeypatch.setattr(ecs_places, "facts", counted)
    answers = {"192.0.2.7": HELSINKI}
    text = behind(answers.__getitem__)
    assert text("192.0.2.7") == text("192.0.2.7") and "Helsinki" in text("192.0.2.7")
    assert made == [HELSINKI]
    answers["192.0.2.7"] = {"country": "SE"}
    assert text("192.0.2.7") == ', "geo": {"country_iso_code": "SE"}'
