"""The ignore list, whole: addresses, what names stand for, files that change, and a command that is asked.

Names come from the configuration, never from a log. Nothing here is waited for: names are looked up in a thread, and whom the
command spares is let through as soon as it has said so.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from logtrigger.addresses import AddressSet, Network, canonical, parse_network, unmapped
from logtrigger.loop import Loop, Timer
from logtrigger.rule import Settings
from logtrigger.within import Within

if TYPE_CHECKING:
    from logtrigger.firewall.children import Children, Ended

_NAMES_EVERY, _NAMES_AGAIN = 300.0, 30.0  # seconds until names are looked up anew; where one failed
_FILES_EVERY = 2.0  # seconds
_PATIENCE = 5.0  # seconds that the command may take for one address
_GOOD_FOR, _BAD_FOR = 600.0, 60.0  # seconds that its answer counts; that it is not asked again after it has failed
_MOST_ANSWERS, _MOST_WAITING = 10_000, 1_000
_NAMED = 10  # words of a file that are no addresses
_LARGEST = 16 << 20  # bytes of a file

Resolve = Callable[[str], Sequence[str]]
Report = Callable[[int, str], None]


def resolve(name: str) -> Sequence[str]:
    """The addresses of a name. Raises OSError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)  # noqa: TID251 - a name of the configuration
    return sorted({str(ipaddress.ip_address(str(where[0]).partition("%")[0])) for *_, where in found})


class Ignoring:
    """Whom nobody bans.

    Args:
        changed: hears that `addresses` has become another one.
        spared: hears of an address that the command has spared.
    """

    def __init__(
        self,
        loop: Loop,
        settings: Settings,
        report: Report,
        changed: Callable[[], None],
        spared: Callable[[str], None],
        resolve: Resolve = resolve,
    ) -> None:
        self.addresses = settings.ignore
        self._loop, self._settings, self._report = loop, settings, report
        self._changed, self._spared, self._resolve = changed, spared, resolve
        self._of_names: dict[str, Sequence[str]] = {}  # the last good answers
        self._of_files: dict[Path, tuple[object, Sequence[str]]] = {}  # what tells a file's state, and what it said
        self._faults: dict[str, str] = {}  # names and files that something is wrong with, and what was said of it
        self._answers: dict[str, tuple[bool, float]] = {}  # address -> whether it is spared, and until when that counts
        self._friends = Within()  # the spared ones among them
        self._waiting: set[str] = set()
        self._children: Children | None = None
        self._thread: threading.Thread | None = None
        self._next_look: Timer | None = None  # at names
        self._closed = self._is_watching = self._is_full = False

    def start(self) -> None:
        """Read files now, and go on looking at them and at names."""
        self._look_at_files()
        self._look_up()

    def take_up(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        is_another = settings.ignore_command != self._settings.ignore_command
        self._settings = settings
        if is_another:
            self._ask_another()
        self._of_names = {name: found for name, found in self._of_names.items() if name in settings.ignore_names}
        self._of_files = {path: found for path, found in self._of_files.items() if path in settings.ignore_files}
        self._look_at_files()
        self._renew()
        self._look_up()

    def close(self) -> None:
        self._closed = True
        if self._children is not None:
            self._children.close()

    def _renew(self) -> None:
        """Put the list together anew."""
        settings = self._settings
        more = [text for found in self._of_names.values() for text in found]
        more += [text for _, found in self._of_files.values() for text in found]
        addresses = AddressSet((*settings.ignore.texts, *more)) if more else settings.ignore
        if addresses != self.addresses:
            self.addresses = addresses
            self._changed()

    def faults(self) -> list[str]:
        """What is wrong with names and files of the list now."""
        listed = {*self._settings.ignore_names, *map(str, self._settings.ignore_files)}
        return [text for one, text in self._faults.items() if one in listed]

    def origin(self, text: str) -> tuple[str, str]:
        """Where an entry of the list comes from: `option`, `name` or `file`, and the entry, the name, or file and line."""
        if text in self._settings.ignore.texts:
            return "option", text
        for name, found in self._of_names.items():
            if text in found:
                return "name", name
        path = next((path for path, (_, found) in self._of_files.items() if text in found), Path())
        return "file", f"{path}{_line_of(path, text)}"

    # Names

    def _look_up(self) -> None:
        """Look names up now, and from then on again and again; where that is being done already, it is seen to afterwards."""
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None
        names = self._settings.ignore_names
        if names and not self._closed and self._thread is None:
            thread = threading.Thread(target=self._ask_names, args=(names,), name="names", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # a machine under attack may have no room for one
                self._next_look = self._loop.call_later(_NAMES_AGAIN, self._look_up)
            else:
                self._thread = thread

    def _ask_names(self, names: Sequence[str]) -> None:
        """In a thread of its own: a name server may take its time."""
        found: dict[str, Sequence[str] | str] = {}
        for name in names:
            try:
                found[name] = self._resolve(name)
            except (OSError, ValueError) as error:
                found[name] = getattr(error, "strerror", None) or str(error)
        if not self._closed:
            self._loop.call_threadsafe(lambda: self._names_found(found))

    def _names_found(self, found: dict[str, Sequence[str] | str]) -> None:
        if self._closed:
            return
        self._thread = None
        for name, answer in found.items():
            if name not in self._settings.ignore_names:
                continue
            if not isinstance(answer, str):
                self._of_names[name] = answer
                self._faults.pop(name, None)
            elif name not in self._faults:
                kept = "its last addresses count on" if name in self._of_names else "until it has one, nobody is spared for it"
                self._faults[name] = f"ignore: '{name}' has no address: {answer}; {kept}"
                self._report(0, self._faults[name])
        self._renew()
        names = self._settings.ignore_names
        if any(name not in found for name in names):  # it has come meanwhile
            self._look_up()
            return
        failed = any(name in self._faults for name in names)
        self._next_look = self._loop.call_later(_NAMES_AGAIN if failed else _NAMES_EVERY, self._look_up)

    # Files

    def _look_at_files(self) -> None:
        if self._settings.ignore_files and not self._is_watching and not self._closed:
            self._is_watching = True
            self._loop.call_later(_FILES_EVERY, self._look_again)
        for path in self._settings.ignore_files:
            self._look_at(path)
        self._renew()

    def _look_again(self) -> None:
        self._is_watching = False
        if not self._closed:
            self._look_at_files()

    def _look_at(self, path: Path) -> None:
        try:
            status = os.stat(path)
            state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if self._of_files.get(path, (None, ()))[0] == state:
                return
            if status.st_size > _LARGEST:
                raise OSError(0, f"it is larger than {_LARGEST >> 20} MiB")
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            if str(path) not in self._faults:
                self._faults[str(path)] = f"ignore_file {path} cannot be read: {error.strerror}; what it said last counts on"
                self._report(0, self._faults[str(path)])
            return
        self._faults.pop(str(path), None)
        self._of_files[path] = state, list(self._entries(path, text))

    def _entries(self, path: Path, text: str) -> Iterator[str]:
        passed_over = 0
        for number, word in _words(text):
            try:
                yield canonical(unmapped(parse_network(word)))
            except ValueError as error:
                passed_over += 1
                if passed_over <= _NAMED:
                    self._report(0, f"{path}:{number}: passed over: {error}")
        if passed_over > _NAMED:
            self._report(0, f"{path}: {passed_over - _NAMED:,} more words passed over: is it the right file?")

    # The command

    def spares(self, address: str) -> bool:
        """Whether the command has spared an address lately."""
        answer = self._answers.get(address)
        return answer is not None and answer[0] and answer[1] > time.monotonic()

    def spares_any(self, network: Network) -> bool:
        """Whether the command has spared an address of a network lately."""
        return any(map(self.spares, self._friends.find(network)))

    def ask(self, address: str) -> None:
        """Ask the command about an address that has been banned, unless its answer is known. `spared` hears if it is."""
        command = self._settings.ignore_command
        answer = self._answers.get(address)
        if not command or address in self._waiting or (answer is not None and answer[1] > time.monotonic()):
            return
        if len(self._waiting) >= _MOST_WAITING:
            if not self._is_full:
                self._is_full = True
                waiting = f"{_MOST_WAITING:,} addresses wait for it already"
                self._report(
                    0, f"ignore_command: {waiting}; it is not asked about {address}, nor others until it has caught up"
                )
            return
        if self._children is None:
            from logtrigger.firewall.children import Children  # few configurations have a command

            self._children = Children(self._loop, _PATIENCE)
        self._waiting.add(address)
        words = [word.replace("{ip}", address) for word in command]
        self._children.run(words, lambda ended: self._answered(address, ended), {"LT_ip": address})

    def _ask_another(self) -> None:
        """The command is another one now: whom the one before spares, or would have, does not count."""
        self._answers.clear()
        self._friends = Within()
        if self._children is not None:
            self._children.close()
            self._children = None
        waiting, self._waiting, self._is_full = self._waiting, set(), False
        for address in waiting:
            self.ask(address)

    def _answered(self, address: str, ended: Ended) -> None:
        self._waiting.discard(address)
        if len(self._waiting) < _MOST_WAITING // 2:
            self._is_full = False
        if ended.code not in (0, 1):
            what = f"it took longer than {_PATIENCE:.0f}s" if ended.code == -9 else str(ended)
            meant = "exit 0 spares an address, exit 1 does not"
            self._report(0, f"ignore_command: {what}, asked about {address}, which stays banned ({meant})")
        good_for = _GOOD_FOR if ended.code in (0, 1) else _BAD_FOR
        self._forget(address)
        self._answers[address] = ended.code == 0, time.monotonic() + good_for
        if len(self._answers) > _MOST_ANSWERS:
            self._forget(next(iter(self._answers)))
        if ended.code == 0:
            self._friends.add(address)
            self._spared(address)

    def _forget(self, address: str) -> None:
        self._answers.pop(address, None)
        self._friends.discard(address)


def _words(text: str) -> Iterator[tuple[int, str]]:
    """Addresses and prefixes with their lines, one or more a line; what follows a # is for the reader."""
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.partition("#")[0].split():
            yield number, word


def _line_of(path: Path, entry: str) -> str:
    """Behind a file's name, the line in which an entry stands now; empty where it does not."""
    with suppress(OSError):
        for number, word in _words(path.read_text(encoding="utf-8", errors="replace")):
            with suppress(ValueError):
                if canonical(unmapped(parse_network(word))) == entry:
                    return f":{number}"
    return ""
