"""What an address field gains where databases know its place: names and types; geoip.py finds the values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

COUNTRY, CONTINENT, HOME = "country", "continent", "home"
# Field of a place -> its type in conditions.
FIELDS = {
    COUNTRY: "country",  # ISO 3166-1 alpha-2
    "country_name": "text",
    CONTINENT: "continent",  # two letters
    "city": "text",
    "lat": "float",
    "lon": "float",
    "asn": "int",
    "as_org": "text",
    HOME: "int",  # 1 in one of the countries of `home_country`, 0 in another one
}

Places = Mapping[str, str]  # field of a place -> value; what no database knows is missing
Look = Callable[[str], Places]  # of an address in its canonical form

NOWHERE: Places = {}


def nowhere(address: str) -> Places:
    """What is known of an address where there is no database."""
    return NOWHERE


def names(fields: Mapping[str, str]) -> dict[str, str]:
    """The names that a rule with fields of these types gains, each with the field of a place it stands for.

    Each address has its own, and the first one's go without its name too.

    >>> list(names({"user": "text", "ip": "ip"}).items())[:2], names({"user": "text"})
    ([('country', 'country'), ('ip_country', 'country')], {})
    """
    addresses = [name for name, kind in fields.items() if kind == "ip"]
    gained: dict[str, str] = {}
    for place in FIELDS if addresses else ():
        gained[place] = place
        gained.update((f"{address}_{place}", place) for address in addresses)
    return gained


def types(fields: Mapping[str, str]) -> dict[str, str]:
    """The same names with their types in conditions."""
    return {name: FIELDS[place] for name, place in names(fields).items()}


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


def with_first(found: Mapping[str, str], kinds: Mapping[str, str]) -> dict[str, str]:
    """The places, and those of the first address under their bare names too."""
    address = first(kinds)
    bare = {place: found[name] for place in FIELDS if (name := f"{address}_{place}") in found}
    return {**found, **bare}


def first(kinds: Mapping[str, str]) -> str:
    """The first field that is an address; empty where there is none."""
    return next((name for name, kind in kinds.items() if kind == "ip"), "")
