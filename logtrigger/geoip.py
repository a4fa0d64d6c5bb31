"""Where an address is: country, city and network out of MaxMind DB files (https://maxmind.github.io/MaxMind-DB/).

Two layouts of records are known: MaxMind's own, nested and with names in several languages (what GeoLite2, GeoIP2 and DB-IP
have), and the flat one that many others publish, with `country_code`, `city`, `latitude` and so on side by side.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from logtrigger.places import FIELDS, NOWHERE, Places

Record = Mapping[str, Any]
MOST_CACHED = 10_000  # addresses
EXTRA = "looking addresses up takes the package geoip2: pip install 'logtrigger[geoip]'"

# Field -> where it stands in a nested record, and what it is called in a flat one.
_NESTED: dict[str, tuple[str | int, ...]] = {
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


def available() -> bool:
    """Whether databases can be read here."""
    try:
        import_module("maxminddb")
    except ImportError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What tells a file from the one that took its place."""

    device: int
    inode: int
    size: int
    changed: int  # nanoseconds

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        status = path.stat()
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class Database:
    """One database file, read from a copy of its own: who rewrites the file in place cannot harm us.

    Raises:
        ValueError: the package is missing, the file cannot be read, or is no such database; says what to do.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            maxminddb = import_module("maxminddb")
        except ImportError:
            raise ValueError(EXTRA) from None
        try:
            self.stamp = _Stamp.of(path)
            with _copy(path) as copy:
                self._reader: Any = maxminddb.open_database(f"/proc/self/fd/{copy}")
            self._is_ipv4_only = self._reader.metadata().ip_version == 4
        except maxminddb.InvalidDatabaseError:
            raise ValueError(f"{path} is no MaxMind database; name a file such as GeoLite2-Country.mmdb") from None
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}; install the database there, or correct the path") from None

    @property
    def kind(self) -> str:
        """What the database calls itself, such as GeoLite2-City."""
        return str(self._reader.metadata().database_type)

    def fields(self) -> frozenset[str]:
        """The fields that the first records with anything in them have: what this database is good for."""
        found: set[str] = set()
        for number, (_, record) in enumerate(self._reader):
            found |= places(record).keys()
            if number >= _LOOKED_AT:
                break
        return frozenset(found)

    def look(self, address: str) -> Places:
        """What is known of an address; nothing of what is none, or not covered."""
        if self._is_ipv4_only and ":" in address:
            return NOWHERE
        try:
            record = self._reader.get(address)
        except ValueError:
            return NOWHERE
        return places(record) if isinstance(record, Mapping) else NOWHERE


_LOOKED_AT = 2_000  # records


@contextlib.contextmanager
def _copy(path: Path) -> Iterator[int]:
    """A descriptor of an unnamed copy of the file, in the folder for temporary files."""
    with path.open("rb") as file, tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        yield copy.fileno()


def places(record: Any) -> Places:
    """A record's fields as text.

    >>> places({"country_code": "FI", "city": "", "latitude": 60.25})
    {'country': 'FI', 'lat': '60.2500'}
    """
    if not isinstance(record, Mapping):
        return NOWHERE
    found = {name: _text(name, _value(record, name)) for name in FIELDS}
    return {name: text for name, text in found.items() if text}


def _value(record: Record, name: str) -> Any:
    nested = _at(record, _NESTED[name])
    if nested is None and name in _REGISTERED and not isinstance(record.get("country"), Mapping):
        nested = _at(record, _REGISTERED[name])  # of satellite links and the like
    return nested if nested is not None else next((record[key] for key in _FLAT[name] if key in record), None)


def _at(record: Any, path: Iterable[str | int]) -> Any:
    for key in path:
        if not isinstance(record, Mapping) or key not in record:
            return None
        record = record[key]
    return record


def _text(name: str, value: Any) -> str:
    if value is None or isinstance(value, Mapping | list):
        return ""
    if FIELDS[name] == "float":
        return f"{float(value):.4f}" if isinstance(value, int | float) else ""
    return str(value).removeprefix("AS") if name == "asn" else str(value)


class GeoIP:
    """Several databases as one: of each field the first that knows it says it.

    Args:
        paths: the files, the best one first.
        report: tells the operator (level, text).
    """

    def __init__(self, paths: Sequence[Path], report: Callable[[int, str], None]) -> None:
        self._paths, self._report = paths, report
        self._open: dict[Path, Database] = {}
        self._failed: dict[Path, tuple[_Stamp | None, str]] = {}
        self._cache: dict[str, Places] = {}
        self.refresh()

    def look(self, address: str) -> Places:
        """What the databases know of an address in its canonical form."""
        found = self._cache.get(address)
        if found is None:
            if len(self._cache) >= MOST_CACHED:
                self._cache.clear()
            found = self._cache[address] = self._find(address)
        return found

    def refresh(self) -> None:
        """Open what was replaced since; to be called now and then. A file that is none is reported, and the old one kept."""
        for path in self._paths:
            try:
                stamp: _Stamp | None = _Stamp.of(path)
            except OSError:
                stamp = None
            opened, failed = self._open.get(path), self._failed.get(path)
            if (opened is None or opened.stamp != stamp) and (failed is None or failed[0] != stamp):
                self._open_anew(path, stamp)

    def _open_anew(self, path: Path, stamp: _Stamp | None) -> None:
        before = self._open.get(path)
        try:
            self._open[path] = Database(path)
        except ValueError as error:
            self._failed[path] = (stamp, str(error))
            kept = "; the one read before stays in use" if before else "; addresses have no place until it can be read"
            self._report(0, f"{error}{kept}")
            return
        if before or path in self._failed:
            self._report(1, f"{path}: read anew")
        self._failed.pop(path, None)
        self._cache.clear()

    def _find(self, address: str) -> Places:
        found: dict[str, str] = {}
        for path in self._paths:
            if path in self._open:
                found = {**self._open[path].look(address), **found}
        return found
