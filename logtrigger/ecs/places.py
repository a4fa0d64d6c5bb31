"""Where an address is, in the words of the Elastic Common Schema: what its object gains besides the address."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from logtrigger.places import Look, Places

Behind = Callable[[str], str]

# Field of ECS below `geo` -> what places.py calls it.
_GEO = {
    "city_name": "city",
    "continent_code": "continent",
    "country_iso_code": "country",
    "country_name": "country_name",
}
_MOST_KNOWN = 10_000


def facts(found: Places) -> dict[str, Any]:
    """The objects `geo` and `as`, as far as they are known.

    >>> facts({"country": "FI", "lat": "60.17", "lon": "24.94", "asn": "64496"})
    {'geo': {'country_iso_code': 'FI', 'location': {'lat': 60.17, 'lon': 24.94}}, 'as': {'number': 64496}}
    """
    geo: dict[str, Any] = {name: found[place] for name, place in _GEO.items() if found.get(place)}
    latitude, longitude = _degrees(found.get("lat"), 90), _degrees(found.get("lon"), 180)
    if latitude is not None and longitude is not None:
        geo["location"] = {"lat": latitude, "lon": longitude}
    system: dict[str, Any] = {}
    if (number := found.get("asn", "")).isdecimal():
        system["number"] = int(number)
    if found.get("as_org"):
        system["organization"] = {"name": found["as_org"]}
    return {name: value for name, value in (("geo", geo), ("as", system)) if value}


def behind(look: Look) -> Behind:
    """What gives that as text to stand behind an address in its object, with a comma before each.

    It is remembered by address, for as long as `look` gives the same object: databases may be replaced.
    """
    known: dict[str, tuple[Places, str]] = {}

    def text(address: str) -> str:
        found = look(address)
        before = known.get(address)
        if before is not None and before[0] is found:
            return before[1]
        if len(known) >= _MOST_KNOWN:
            known.clear()
        made = "".join(f', "{name}": {json.dumps(value)}' for name, value in facts(found).items())
        known[address] = found, made
        return made

    return text


def _degrees(text: str | None, most: int) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) <= most else None
