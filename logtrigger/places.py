"""What an address field gains where databases know its place: names and types; geoip.py finds the values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

# Field of a place -> its type in conditions.
FIELDS = {
    "country": "text",  # ISO 3166-1 alpha-2
    "country_name": "text",
    "continent": "text",  # two letters
    "city": "text",
    "lat": "float",
    "lon": "float",
    "asn": "int",
    "as_org": "text",
}

Places = Mapping[str, str]  # field of a place -> value; what no database knows is missing
Look = Callable[[str], Places]  # of an address in its canonical form

NOWHERE: Places = {}


def types(fields: Mapping[str, str]) -> dict[str, str]:
    """The names that a rule with fields of these types gains, with their types.

    Each address has its own, and the first one's go without its name too.

    >>> list(types({"user": "text", "ip": "ip"}))[:2], types({"user": "text"})
    (['country', 'ip_country'], {})
    """
    addresses = [name for name, kind in fields.items() if kind == "ip"]
    gained: dict[str, str] = {}
    for place, kind in FIELDS.items():
        if addresses:
            gained[place] = kind
        gained.update((f"{address}_{place}", kind) for address in addresses)
    return gained


def of(fields: Mapping[str, str], kinds: Mapping[str, str], look: Look) -> dict[str, str]:
    """The places of an event's addresses, by `address_place`.

    Args:
        fields: the event's fields.
        kinds: the fields' types.
        look: finds what is known of an address.
    """
    found: dict[str, str] = {}
    for name, kind in kinds.items():
        if kind == "ip" and (address := fields.get(name)):
            found.update((f"{name}_{place}", value) for place, value in look(address).items())
    return found


def first(kinds: Mapping[str, str]) -> str:
    """The first field that is an address; empty where there is none."""
    return next((name for name, kind in kinds.items() if kind == "ip"), "")
