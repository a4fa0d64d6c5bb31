"""What rotation carried away before it was read: finding it, under whatever name, and telling where it is lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress

from logtrigger.model import Position
from logtrigger.sources import fingerprint
from logtrigger.sources.base import Host
from logtrigger.sources.content import Content, Unfinished, open_content
from logtrigger.sources.fingerprint import OVER, TOLD
from logtrigger.sources.generations import Candidate, Generations, Inode
from logtrigger.sources.past import Past, Verdict, is_over, marked, read_already
from logtrigger.sources.standing import Standing
from logtrigger.sources.tail import Tail, has_writer, inode_of

Begin = Callable[[Content, Position | None, str, str], Tail]


class Rests:
    """Earlier generations of the followed paths.

    Args:
        tails: all files that are open.
        begin: reads a file on from a position, or as a new stream, for a followed path, under the name it has now.
        is_old: whether what a path left behind before its first start ever is none of our business.
    """

    def __init__(
        self,
        host: Host,
        name: str,
        standing: Standing,
        generations: Generations,
        tails: Mapping[Inode, Tail],
        begin: Begin,
        is_old: Callable[[str], bool],
    ) -> None:
        self.past = Past()
        self.pending: set[str] = set()  # paths of which some file cannot be judged yet
        self._host, self._name = host, name
        self._standing, self._generations, self._tails = standing, generations, tails
        self._begin, self._is_old = begin, is_old

    def look(self, path: str) -> list[Tail]:
        """Judge what may be earlier generations of path; what of them is read from now on, the oldest first."""
        found = self._generations.of(path)
        self.pending.discard(path)
        begun: list[Tail] = []
        for one in self.past.unsettled(path, found):
            if one.inode in self._tails:
                continue
            try:
                tail = self._judge(path, one, found)
            except (Unfinished, FileNotFoundError) as error:
                tail = None
                self._wait_or_give_up(path, one, error)
            except OSError as error:
                tail = None
                self._give_up(path, one, error)
            if tail is not None:
                begun.append(tail)
        if self.past.unfinished(path) and path not in self.pending and self._generations.have_moved(path, found):
            self.pending.add(path)
        for stream in self.past.evict(path, found):
            self._host.forget(stream)
        return begun

    def find(self, path: str, is_standing: bool) -> list[Tail]:
        """Look under other names, too, for what was not read to its end; where a newer file stands, tell what is lost."""
        begun: list[Tail] = []
        for position in self.past.unfinished(path) if path not in self.pending else ():
            tail = self._find(path, position)
            if tail is not None:
                begun.append(tail)
            elif is_standing:
                self.tell(position, 0)
        return begun

    def copy_of(self, tail: Tail) -> tuple[Content, str] | None:
        """A plain file that holds all that was read of one that has been cut, and its name.

        The oldest one: where several generations begin alike, the first that nobody knows is its.
        """
        self._generations.refresh()
        for one, content in self._opened((*self._generations.of(tail.path), *self._generations.others(tail.path))):
            with suppress(OSError):
                if not content.is_packed and tail.is_copied_in(content) and not self.past.is_of_another(one, content):
                    return content, one.path
            content.close()
        return None

    def tell(self, position: Position, level: int) -> None:
        """Say that the rest of a stream is lost. Should it turn up all the same, it is read."""
        self.past.add(position, TOLD)
        self._host.report(
            level,
            f"{self._name}: {position.path} was cut or replaced, and no file holds what stood there before: "
            f"what it had beyond byte {position.offset}, if anything, is not read",
        )

    def _judge(self, path: str, one: Candidate, found: Sequence[Candidate]) -> Tail | None:
        """The file as it is read from now on, if anything of it is to be read."""
        content = open_content(one.path)
        tail = None
        try:
            if inode_of(content.fd) != one.inode:
                raise FileNotFoundError
            live = [tail for tail in self._tails.values() if tail.path == path or self._has_left(tail, path)]
            verdict = self.past.judge(path, one, content, live, found)
            if verdict is None:
                self.pending.add(path)
            else:
                tail = self._act(path, one, content, verdict)
            return tail
        finally:
            if tail is None:
                content.close()

    def _has_left(self, tail: Tail, path: str) -> bool:
        """Whether a file was an earlier generation of path that a glob names, too, and is not there any more: packed, say."""
        return self._standing.base_of(tail.path) == path and not _stands_at(tail.path, tail.key)

    def _act(self, path: str, one: Candidate, content: Content, verdict: Verdict) -> Tail | None:
        position, is_unread = verdict.position, verdict.is_unread
        is_named = one.path in self._standing.named
        if position is None and not is_named and self._is_old(path):
            position, is_unread = read_already(content, one, path, self._name, OVER), False
        if position is not None and is_over(position) and not is_unread:
            if not self.past.holds(position):
                self._host.register(position)
                self.past.add(position)
            if not is_named:
                self.past.settle(path, one)
                return None
        if position is not None:
            self.past.remove(position.stream)
            position = marked(position, "")
        return self._begin(content, position, one.path if is_named else path, one.path)

    def _wait_or_give_up(self, path: str, one: Candidate, error: OSError) -> None:
        """A packed file without its end: somebody is at work on it, or has died."""
        if isinstance(error, Unfinished) and not _is_written(one):
            self._give_up(path, one, error)
        else:
            self.pending.add(path)

    def _give_up(self, path: str, one: Candidate, error: OSError) -> None:
        """A file that cannot be read may hold lines that nobody has read; if all is known to be read, it does not."""
        self.past.settle(path, one)
        if self.past.unfinished(path) and not self._is_old(path):
            fault = f"{error.strerror}; what it alone holds of {path} is not read"
            self._standing.complain(one.path, fault)

    def _find(self, path: str, position: Position) -> Tail | None:
        for is_it in (_is_own, _is_copy):
            for one, content in self._opened(self._generations.others(path)):
                with suppress(OSError):
                    if is_it(content, one, position):
                        self.past.remove(position.stream)
                        return self._begin(content, marked(position, ""), path, one.path)
                content.close()
        return None

    def _opened(self, found: Iterable[Candidate]) -> Iterator[tuple[Candidate, Content]]:
        """Those that nobody reads yet; what is not kept is to be closed."""
        for one in found:
            if one.inode not in self._tails:
                try:
                    content = open_content(one.path)
                except OSError:
                    continue
                if inode_of(content.fd) == one.inode:
                    yield one, content
                else:
                    content.close()


def _stands_at(path: str, inode: Inode) -> bool:
    """Whether it is this file that stands at a path."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == inode


def _is_own(content: Content, one: Candidate, position: Position) -> bool:
    return one.inode[1] == position.inode and fingerprint.agrees(content, position)


def _is_copy(content: Content, one: Candidate, position: Position) -> bool:
    return fingerprint.span(position.tail) > 0 and fingerprint.agrees(content, position)


def _is_written(one: Candidate) -> bool:
    try:
        with closing(open_content(one.path)) as content:
            return has_writer(content.fd) is not False
    except OSError:
        return True
