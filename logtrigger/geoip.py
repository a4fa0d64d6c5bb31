"""Where an address is: country, city and network out of MaxMind DB files (https://maxmind.github.io/MaxMind-DB/).

Two layouts of records are known: MaxMind's own, nested and with names in several languages (what GeoLite2, GeoIP2 and DB-IP
have), and the flat one that many others publish, with `country_code`, `city`, `latitude` and so on side by side.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from logtrigger.places import COUNTRY, FIELDS, HOME, NOWHERE, Places

Record = Mapping[str, Any]
MOST_CACHED = 10_000  # addresses
LOOK_EVERY = 5.0  # seconds between two looks at whether a file was replaced
EXTRA = "looking addresses up takes the package geoip2: pip install 'logtrigger[geoip]'"

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

    def _damaged(self, error: Exception) -> ValueError:
        return ValueError(f"{self.path} is damaged ({error}); install it anew")


_LOOKED_AT = 2_000  # records
# What reading a damaged file comes to: the reader in C says it, the one in Python falls over it.
_DAMAGE = (RuntimeError, ValueError, LookupError, TypeError, struct.error)


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
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        yield copy.fileno()


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
    return str(value).removeprefix("AS") if name == "asn" else str(value)


@dataclass(frozen=True, slots=True)
class _Failure:
    """A file that could not be opened as it was."""

    stamp: _Stamp | None  # None: it was not there
    told: bool


class GeoIP:
    """Several databases as one: of each field the first that knows it says it.

    Args:
        paths: the files, the best one first.
        report: tells the operator (level, text).
        home: the countries that are expected.
        clock: seconds, for how often files are looked at.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        report: Callable[[int, str], None],
        home: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths, self._report, self._home, self._clock = paths, report, frozenset(home), clock
        self._open: dict[Path, Database] = {}
        self._failed: dict[Path, _Failure] = {}
        self._damaged: set[Path] = set()  # told of
        self._cache: dict[str, Places] = {}
        self.refresh()

    def look(self, address: str) -> Places:
        """What the databases know of an address in its canonical form; now and then it is seen whether they were replaced."""
        if self._clock() >= self._due:
            self.refresh()
        found = self._cache.get(address)
        if found is None:
            if len(self._cache) >= MOST_CACHED:
                self._cache.clear()
            found = self._cache[address] = self._find(address)
        return found

    def refresh(self) -> None:
        """Open what was replaced since. A file that is none is reported, and the old one kept."""
        self._due = self._clock() + LOOK_EVERY
        for path in self._paths:
            try:
                stamp: _Stamp | None = _Stamp.of(path)
            except OSError:
                stamp = None
            opened, failed = self._open.get(path), self._failed.get(path)
            if (opened is None or opened.stamp != stamp) and (failed is None or failed != _Failure(stamp, told=True)):
                self._open_anew(path, stamp)

    def _open_anew(self, path: Path, stamp: _Stamp | None) -> None:
        before, failed = self._open.get(path), self._failed.get(path)
        try:
            self._open[path] = Database(path)
        except ValueError as error:
            # While there is one in use, a file may be in the making: it is told of where it is the same at the next look.
            is_settled = before is None or failed == _Failure(stamp, told=False)
            self._failed[path] = _Failure(stamp, told=is_settled)
            kept = "; the one read before stays in use" if before else "; addresses have no place until it can be read"
            if is_settled:
                self._report(0, f"{error}{kept}")
            return
        if before or path in self._failed:
            self._report(1, f"{path}: read anew")
        self._failed.pop(path, None)
        self._damaged.discard(path)
        self._cache.clear()

    def _find(self, address: str) -> Places:
        found: dict[str, str] = {}
        for path in self._paths:
            if path in self._open:
                found = {**self._look_in(path, address), **found}
        if self._home and (country := found.get(COUNTRY)):
            found[HOME] = "1" if country.upper() in self._home else "0"
        return found

    def _look_in(self, path: Path, address: str) -> Places:
        try:
            return self._open[path].look(address)
        except ValueError as error:
            if path not in self._damaged:
                self._damaged.add(path)
                self._report(0, f"{error}; until then some addresses have no place")
            return NOWHERE
