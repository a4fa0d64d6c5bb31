"""Each address of an event gains its place, under names of its own."""

from __future__ import annotations

from logtrigger import places


def test_names_that_rules_gain() -> None:
    gained = places.types({"user": "text", "ip": "ip", "peer": "ip"})
    assert (
        gained["country"] == "country"
        and gained["ip_city"] == "text"
        and gained["ip_lat"] == "float"
        and gained["peer_asn"] == "int"
    )
    assert len(gained) == 3 * len(places.FIELDS)


def test_places_of_an_event() -> None:
    known = {"192.0.2.7": {"country": "FI", "asn": "64496"}}
    fields = {"user": "bob", "ip": "192.0.2.7", "peer": "", "via": "198.51.100.1"}
    kinds = {"user": "text", "ip": "ip", "peer": "ip", "via": "ip"}
    found = places.of(fields, kinds, lambda address: known.get(address, places.NOWHERE))
    assert found == {"ip_country": "FI", "ip_asn": "64496"}


def test_first_address() -> None:
    assert places.first({"user": "text", "peer": "ip", "ip": "ip"}) == "peer"
    assert places.first({"user": "text"}) == ""
