"""One file with places of addresses: country, city and network out of a MaxMind DB (https://maxmind.github.io/MaxMind-DB/).

Two layouts of records are known: MaxMind's own, nested and with names in several languages (what GeoLite2, GeoIP2 and DB-IP
have), and the flat one that many others publish, with `country_code`, `city`, `latitude` and so on side by side.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from logtrigger.places import CONTINENT, COUNTRY, FIELDS, NOWHERE, Places

Record = Mapping[str, Any]
EXTRA = "looking addresses up takes the package geoip2: pip install geoip2"

# Field -> where it stands in a nested record, and what it is called in a flat one.
_NESTED: dict[str, tuple[str, ...]] = {
    "country": ("country", "iso_code"),
    "country_name": ("country", "names", "en"),
    "continent": ("continent", "code"),
    "city": ("city", "names", "en"),
    "lat": ("location", "latitude"),
    "lon": ("location", "longitude"),
    "asn": ("autonomous_system_number",),
    "as_org": ("autonomous_system_organization",),
}
_REGISTERED = {"country": ("registered_country", "iso_code"), "country_name": ("registered_country", "names", "en")}
_FLAT = {
    "country": ("country_code", "country"),
    "country_name": ("country_name",),
    "continent": ("continent_code", "continent"),
    "city": ("city",),
    "lat": ("latitude", "lat"),
    "lon": ("longitude", "lon", "lng"),
    "asn": ("autonomous_system_number", "asn"),
    "as_org": ("autonomous_system_organization", "as_name", "organization"),
}

_LOOKED_AT = 2_000  # records
_TRIED = 2_048  # addresses of IPv4; of IPv6 a sixteenth in each block
_BLOCKS = tuple(block << 112 for block in (0x2001, 0x2400, 0x2600, 0x2800, 0x2A00, 0x2C00))  # of IPv6, as IANA gave them out
_PAGE, _AT_ONCE = 4_096, 1 << 20  # bytes
_BEHIND_TREE = bytes(16)  # "Data Section Separator" of the format's description
# What reading a damaged file comes to: the reader in C says it, the one in Python falls over it.
_DAMAGE = (RuntimeError, ValueError, LookupError, TypeError, struct.error)


def available() -> bool:
    """Whether databases can be read here."""
    try:
        import_module("maxminddb")
    except ImportError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells a file from the one that took its place."""

    device: int
    inode: int
    size: int
    changed: int  # nanoseconds

    @classmethod
    def of(cls, path: Path) -> Stamp:
        status = path.stat()
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class Database:
    """One database file, read from a copy of its own: who rewrites the file in place cannot harm us.

    It is tried before it is used: a hole (what an interrupted copy leaves), a tree that ends elsewhere than it says, and
    addresses from all over the networks.

    Raises:
        ValueError: the package is missing, the file cannot be read, is no such database, or is damaged; says what to do.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            maxminddb = import_module("maxminddb")
        except ImportError:
            raise ValueError(EXTRA) from None
        try:
            self.stamp = Stamp.of(path)
            if not self.stamp.size:
                raise ValueError(f"{path} is empty; install it anew")
            with _copy(path) as copy:
                self._reader: Any = maxminddb.open_database(f"/proc/self/fd/{copy}")
                self._is_ipv4_only = self._reader.metadata().ip_version == 4
                self._try(copy)
        except maxminddb.InvalidDatabaseError:
            fault = "is no MaxMind database, or only the beginning of one"
            raise ValueError(f"{path} {fault}; install it anew, or name a file such as GeoLite2-Country.mmdb") from None
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}; install the database there, or correct the path") from None

    @property
    def kind(self) -> str:
        """What the database calls itself, such as GeoLite2-City."""
        return str(self._reader.metadata().database_type)

    @property
    def built(self) -> float:
        """When it was made, in epoch seconds."""
        return float(self._reader.metadata().build_epoch)

    def fields(self) -> frozenset[str]:
        """The fields that the first records with anything in them have: what this database is good for."""
        found: set[str] = set()
        try:
            for number, (_, record) in enumerate(self._reader):
                found |= places(record).keys()
                if number >= _LOOKED_AT:
                    break
        except _DAMAGE as error:
            raise self._damaged(error) from None
        return frozenset(found)

    def look(self, address: str) -> Places:
        """What is known of an address; nothing of what is none, or not covered.

        Raises:
            ValueError: the file is damaged there.
        """
        if self._is_ipv4_only and ":" in address or not _is_address(address):
            return NOWHERE
        try:
            return places(self._reader.get(address))
        except _DAMAGE as error:
            raise self._damaged(error) from None

    def _try(self, copy: int) -> None:
        """Raises ValueError where the file is not what it says it is."""
        try:
            metadata = self._reader.metadata()
            tree = metadata.node_count * metadata.record_size // 4
            if os.pread(copy, len(_BEHIND_TREE), tree) != _BEHIND_TREE:
                raise ValueError("its search tree ends elsewhere than it says")
            if _has_hole(copy):
                raise ValueError(f"{_PAGE} bytes in a row are zero")
            for address in _samples(ipv4_only=self._is_ipv4_only):
                self._reader.get(address)
        except _DAMAGE as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> ValueError:
        return ValueError(f"{self.path} is damaged ({error}); install it anew")


def _is_address(text: str) -> bool:
    """Whether a text can be looked up: inet_pton(3) takes what `ipaddress` does, many times faster, but for zones."""
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


@contextlib.contextmanager
def _copy(path: Path) -> Iterator[int]:
    """A descriptor of an unnamed copy of the file, in the folder for temporary files."""
    with path.open("rb") as file, tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy, _AT_ONCE)
        copy.flush()
        yield copy.fileno()


def _has_hole(file: int) -> bool:
    """Whether a page of a file holds nothing but zeros."""
    at, hole = 0, bytes(_PAGE)
    while data := os.pread(file, _AT_ONCE, at):
        if hole in data:
            return True
        at += len(data)
    return False


def _samples(*, ipv4_only: bool) -> Iterator[str]:
    """Addresses at equal distances, where networks are."""
    for number in range(_TRIED):
        yield socket.inet_ntop(socket.AF_INET, (number * (0xE000_0000 // _TRIED)).to_bytes(4, "big"))
    for block in () if ipv4_only else _BLOCKS:
        for number in range(_TRIED // 16):
            yield socket.inet_ntop(socket.AF_INET6, (block + number * ((1 << 116) // (_TRIED // 16))).to_bytes(16, "big"))


def places(record: Any) -> Places:
    """A record's fields as text.

    >>> places({"country_code": "FI", "city": "", "latitude": 60.25})
    {'country': 'FI', 'lat': '60.2500'}
    """
    if not isinstance(record, dict):
        return NOWHERE
    found = {}
    for name, path in _NESTED.items():
        value = _at(record, path)
        if value is None:
            value = _among(record, _FLAT[name])
        if value is not None and (text := _text(name, value)):
            found[name] = text
    if COUNTRY not in found and not isinstance(record.get("country"), dict):  # satellite links and the like
        for name, path in _REGISTERED.items():
            if text := _text(name, _at(record, path)):
                found[name] = text
    return found


def _at(record: Any, path: Iterable[str]) -> Any:
    for key in path:
        if not isinstance(record, dict):
            return None
        record = record.get(key)
    return record


def _among(record: Record, keys: Iterable[str]) -> Any:
    for key in keys:
        if key in record:
            return record[key]
    return None


def _text(name: str, value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    if FIELDS[name] == "float":
        return f"{float(value):.4f}" if isinstance(value, int | float) else ""
    if name in (COUNTRY, CONTINENT) and len(str(value)) == 2:
        return str(value).upper()
    return str(value).removeprefix("AS") if name == "asn" else str(value)
