"""The journal of systemd, through journalctl: each entry is one line in the form of a log file, and says who wrote it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from logtrigger.digests import blake2b
from logtrigger.loop import Timer
from logtrigger.model import Chunk, Position, Sender
from logtrigger.sources.base import Host
from logtrigger.sources.lines import Piece
from logtrigger.sources.program import Program, Run
from logtrigger.sources.receiver.framing import one_line
from logtrigger.sources.tail import new_stream

PATH = "journal"  # what stands in a position where files have their path
FIELDS = ("MESSAGE", "SYSLOG_IDENTIFIER", "_COMM", "_PID", "SYSLOG_PID", "_UID", "_HOSTNAME", "_SYSTEMD_INVOCATION_ID")
EMPTY_AFTER = 5.0  # seconds without an entry after which a journal is taken to hold none
WIDEST = 6  # bytes of JSON that one byte of a message may take
ROOM = 1 << 16  # bytes for the other fields
BATCH = 1 << 17  # bytes of a chunk, about

_CURSOR = re.compile(r"(?:[a-z]=[0-9a-f]{1,64}(?:;[a-z]=[0-9a-f]{1,64})*|@[0-9]+\.[0-9]+)?")
_SECOND = 1_000_000  # microseconds, in which the journal counts

Entry = Mapping[str, Any]
Kind = tuple[Sender | None, bool, bool]  # sender, own, catching up: what the lines of a chunk share


class JournalSource:
    """Follows the journal from where it was left: the cursor of the last entry delivered is its position.

    Args:
        host: the daemon.
        name: of the source.
        units: only entries of these.
        matches: only entries with these fields, FIELD=value.
        from_start: the first start ever begins with the oldest entry, not with the next one.
        since: begin there (epoch seconds), whatever was known.
    """

    tells_senders = True

    def __init__(
        self,
        host: Host,
        name: str,
        *,
        units: Sequence[str] = (),
        matches: Sequence[str] = (),
        from_start: bool = False,
        since: float | None = None,
    ) -> None:
        self.name = name
        self._host = host
        self._filter = [*(f"--unit={unit}" for unit in units), *matches]
        self._filter_mark = blake2b("\0".join(self._filter).encode(), digest_size=8).hexdigest()
        self._from_start = from_start
        self._since = "" if since is None else f"@{since:.6f}"
        self._program = Program(host, name, self._command, self._take, max_line=WIDEST * host.max_line + ROOM)
        self._stream = new_stream()
        self._offset = 0  # bytes delivered
        self._cursor = self._since  # of the last entry delivered or passed over; or @ and a time; empty: begin as told
        self._begun = False  # where to go on is known
        self._first: Run | None = None  # whose first entry has come
        self._filtered_as = self._filter_mark  # when the cursor was stored
        self._boot = _boot_id()
        self._invocation = _invocation()
        self._timer: Timer | None = None
        self._open = False
        self._kind: Kind = (None, False, False)
        self._batch: list[bytes] = []
        self._size = 0  # of the batch

    def open(self) -> None:
        """Raises SourceError where there is no journalctl."""
        self._recall()
        self._program.open()
        self._open = True
        self._timer = self._host.loop.call_later(EMPTY_AFTER, self._was_empty)

    def close(self) -> None:
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
        self._program.close()

    def pause(self) -> None:
        self._program.pause()

    def resume(self) -> None:
        self._program.resume()

    def positions(self) -> Iterable[Position]:
        return [self._position()] if self._begun else []

    def abandon(self) -> None:
        """Close, and remember nothing."""
        self._host.forget(self._stream)
        self.close()

    def _position(self) -> Position:
        return Position(self._stream, self.name, PATH, 0, 0, self._offset, self._cursor, self._filter_mark)

    def _recall(self) -> None:
        """Take up what the last run knew; streams of whatever else this source may have been are over."""
        for position in list(self._host.positions(self.name)):
            good = position.path == PATH and _CURSOR.fullmatch(position.head)
            if not good or self._begun or self._since:
                self._host.forget(position.stream)
                continue
            self._stream, self._offset, self._cursor = position.stream, position.offset, position.head
            self._filtered_as, self._begun = position.tail, True

    def _command(self) -> list[str]:
        """What the next run is to show: from the last entry on, that included, or else from where we begin."""
        if self._cursor.startswith("@"):
            begin = ["--no-tail", f"--since={self._cursor}"]
        elif self._cursor:
            begin = ["--no-tail", f"--cursor={self._cursor}"]
        elif self._begun or self._from_start:
            begin = ["--no-tail"]
        else:
            begin = ["--lines=1"]  # tells where the end is
        shown = ",".join(FIELDS)
        return ["journalctl", "--follow", "--output=json", "--all", f"--output-fields={shown}", *begin, *self._filter]

    # Entries

    def _take(self, run: Run, pieces: list[Piece]) -> None:
        for piece in pieces:
            for raw in piece.data[:-1].split(b"\n"):
                entry = self._entry(raw)
                if entry is not None:
                    self._put(run, entry)
                if not self._open:
                    return
        self._flush()

    def _entry(self, raw: bytes) -> Entry | None:
        try:
            entry = json.loads(raw)
        except ValueError:
            if raw:  # cut, as too long or as journalctl was ended
                self._host.report(1, f"{self.name}: an entry of the journal cannot be read, {len(raw)} bytes long")
            return None
        return entry if isinstance(entry, dict) and isinstance(entry.get("__CURSOR"), str) else None

    def _put(self, run: Run, entry: Entry) -> None:
        cursor, is_old = entry["__CURSOR"], self._is_old(run, entry)
        if self._first is not run:
            self._first = run
            if self._is_known(cursor, is_old):
                return
        line = as_line(entry, self._host.max_line)
        if line:
            pid, uid = _number(entry.get("_PID")), _number(entry.get("_UID"))
            sender = None if uid is None else Sender(uid, _text(entry.get("_COMM")))
            self._add(line, (sender, self._is_own(entry, pid, is_old), is_old))
        if self._open:
            self._cursor, self._filtered_as = cursor, self._filter_mark

    def _is_known(self, cursor: str, is_old: bool) -> bool:
        """Whether the first entry of a run was delivered before, or lay in the journal when we began at its end."""
        if self._cursor and not self._cursor.startswith("@"):
            if _same(cursor, self._cursor):
                return True
            if self._filtered_as == self._filter_mark:
                self._host.report(
                    0,
                    f"{self.name}: the journal has given up what was read last, and perhaps more that was not read; "
                    "going on with the oldest entry after it (SystemMaxUse= in journald.conf lets it keep more)",
                )
            return False
        begins_at_end = not self._begun and not self._from_start and not self._since
        if begins_at_end and is_old:
            self._cursor = cursor
        self._begin()
        return begins_at_end and is_old

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._host.register(self._position())

    def _was_empty(self) -> None:
        """No entry has come: whatever comes now, or while we are stopped, is new."""
        self._begin()

    def _is_own(self, entry: Entry, pid: int | None, is_old: bool) -> bool:
        """Whether we or a script wrote it. As a service of systemd we know that of processes that are gone, too."""
        if self._invocation and entry.get("_SYSTEMD_INVOCATION_ID") == self._invocation:
            return True
        return not is_old and pid is not None and self._host.is_own(pid)  # an old one's number may be another's by now

    def _is_old(self, run: Run, entry: Entry) -> bool:
        """Whether an entry was there before this run began; of another boot, or another machine, all are."""
        time = _number(entry.get("__MONOTONIC_TIMESTAMP"))
        return entry.get("_BOOT_ID") != self._boot or time is None or time / _SECOND < run.started

    # Lines

    def _add(self, line: bytes, kind: Kind) -> None:
        if kind != self._kind or self._size > BATCH:
            self._flush()
        self._kind = kind
        self._batch.append(line)
        self._size += len(line)

    def _flush(self) -> None:
        if not self._batch or not self._open:
            return
        data, start = b"".join(self._batch), self._offset
        self._batch, self._size = [], 0
        sender, own, is_old = self._kind
        self._offset = end = start + len(data)
        self._host.deliver(Chunk(self.name, PATH, self._stream, start, end, data, catching_up=is_old, sender=sender, own=own))


def as_line(entry: Entry, max_line: int) -> bytes:
    """An entry as `journalctl -o short-iso` shows it, on one line and its end included; empty where it has no message.

    >>> as_line({"__REALTIME_TIMESTAMP": "5", "_HOSTNAME": "h", "_COMM": "app", "_PID": "7", "MESSAGE": "a\\nb"}, 100)[32:]
    b' h app[7]: a#012b\\n'
    """
    message = _bytes(entry.get("MESSAGE"))
    if not message:
        return b""
    time = _number(entry.get("__REALTIME_TIMESTAMP")) or 0
    program = _bytes(entry.get("SYSLOG_IDENTIFIER")) or _bytes(entry.get("_COMM")) or b"unknown"
    pid = _bytes(entry.get("_PID")) or _bytes(entry.get("SYSLOG_PID"))
    tag = b"%s[%s]" % (program, pid) if pid else program
    host = _bytes(entry.get("_HOSTNAME")) or b"localhost"
    line = one_line(b"%s %s %s: %s" % (_stamp(time), host, tag, message))
    return line if len(line) <= max_line + 1 else line[: max_line // 2] + line[max_line // 2 - max_line - 1 :]


def _stamp(microseconds: int) -> bytes:
    before, zone = _second(microseconds // _SECOND)
    return b"%s.%06d%s" % (before, microseconds % _SECOND, zone)


@lru_cache(maxsize=64)
def _second(epoch: int) -> tuple[bytes, bytes]:
    """A second in local time, and its distance from UTC."""
    text = datetime.fromtimestamp(epoch).astimezone().isoformat()
    return text[:19].encode(), text[19:].encode()


def _bytes(value: object) -> bytes:
    """A field as its bytes: journalctl writes what is no text as a list of numbers, and what is given twice as a list."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, list) and value:
        return bytes(value) if all(isinstance(one, int) and 0 <= one < 256 for one in value) else _bytes(value[0])
    return b""


def _text(value: object) -> str:
    return value if isinstance(value, str) else _bytes(value).decode("utf-8", "replace")


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 20 else None


def _same(cursor: str, other: str) -> bool:
    return set(cursor.split(";")) == set(other.split(";"))


def _invocation() -> str:
    """What systemd calls this run of us; empty where it has not started us itself (systemd.exec(5), $SYSTEMD_EXEC_PID)."""
    started = os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())
    return os.environ.get("INVOCATION_ID", "") if started else ""


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip().replace("-", "")
    except OSError:
        return ""
