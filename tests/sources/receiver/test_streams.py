"""Connections: what peers send, and what one of them cannot do to the others."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from logtrigger.addresses import AddressSet
from logtrigger.errors import SourceError
from logtrigger.sources.receiver import streams
from logtrigger.sources.receiver.addresses import ListenAddress
from logtrigger.sources.receiver.streams import Limits, StreamListener
from tests.sources.host import TestHost, running, until

USUAL = Limits()
HERE = ListenAddress("tcp", "127.0.0.1", 0)


def listener(host: TestHost, *allow: str, limits: Limits = USUAL, address: ListenAddress = HERE) -> StreamListener:
    return StreamListener(host, "net", address, AddressSet(allow), limits)


@contextmanager
def peer(source: StreamListener, address: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", source.port), 5, (address, 0)) as sock:
        yield sock


def is_ended(host: TestHost, sock: socket.socket) -> bool:
    """Whether the other side has ended this connection."""
    host.loop.turn(0.01)
    sock.setblocking(False)
    try:
        return not sock.recv(1)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_both_framings(host: TestHost) -> None:
    with running(source := listener(host), host), peer(source) as one, peer(source) as two:
        one.sendall(b"<13>a: one\r\n<13>a: two\n")
        two.sendall(b"9 <13>b: on11 <13>b: a\nbc")
        until(host.loop, lambda: len(host.lines) == 4)
    assert {chunk.data for chunk in host.chunks} == {b"<13>a: one\n<13>a: two\n", b"<13>b: on\n<13>b: a#012bc\n"}
    first, second = host.chunks
    assert first.stream != second.stream
    assert {(c.source, c.peer, c.origin, c.offset, c.end - len(c.data)) for c in host.chunks} == {
        ("net", "127.0.0.1", f"{HERE} from 127.0.0.1", 0, 0)
    }
    assert {f"forget {first.stream}", f"forget {second.stream}"} <= set(host.events)
    assert not host.reports


def test_offsets_go_on(host: TestHost) -> None:
    with running(source := listener(host), host), peer(source) as sock:
        for number in range(3):
            sock.sendall(b"<13>line\0 %d\r\n" % number)
            until(host.loop, lambda number=number: len(host.lines) == number + 1)  # type: ignore[misc]
    ends = [0] + [chunk.end for chunk in host.chunks]
    assert [chunk.offset for chunk in host.chunks] == ends[:-1]
    assert ends[-1] == sum(len(chunk.data) for chunk in host.chunks)


def test_the_last_line_needs_no_end(host: TestHost) -> None:
    with running(source := listener(host), host):
        with peer(source) as sock:
            sock.sendall(b"<13>one\n<13>two")
        host.wait_for(b"<13>one", b"<13>two")
        host.settle(0.05)
    assert not host.reports


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        (b"1000000000000 <13>a", "it announces a message of 1000000000000 octets, where 16777216 are the most"),
        (b"5 abcdeX", "where a message's length in octets should stand, it sends 'X'"),
        (bytes(range(256)) * 4, "it sends no text, but '"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "it sends no text, but '???"),
    ],
)
def test_what_cannot_be_understood_ends_the_connection(host: TestHost, sent: bytes, fault: str) -> None:
    with running(source := listener(host), host), peer(source) as sock, peer(source) as other:
        sock.sendall(sent)
        until(host.loop, lambda: is_ended(host, sock))
        other.sendall(b"<13>others go on\n")
        until(host.loop, lambda: b"<13>others go on" in host.lines)
    (said,) = host.said("the connection of 127.0.0.1 to tcp 127.0.0.1:0 was ended: ")
    assert fault in said
    assert len(host.reports) == 1


def test_many_faults_are_said_once_a_minute(host: TestHost) -> None:
    with running(source := listener(host), host):
        for _ in range(30):
            with peer(source) as sock:
                sock.sendall(b"\x01\x02\x03")
                until(host.loop, lambda sock=sock: is_ended(host, sock))  # type: ignore[misc]
        assert len(host.reports) == streams.FAULTS
    assert host.said(f"{30 - streams.FAULTS} more connections to tcp 127.0.0.1:0 were ended in the last minute")


@pytest.mark.parametrize("sent", [b"20 <13>half", b"<13>half", b"12"])
def test_half_a_message_then_silence(host: TestHost, sent: bytes) -> None:
    with running(source := listener(host, limits=Limits(idle=0.2)), host), peer(source) as sock:
        sock.sendall(sent)
        until(host.loop, lambda: is_ended(host, sock))
    assert host.said("was ended: it was silent for 0.2 s, in the middle of a message")
    assert host.lines == []


def test_silence_is_measured_from_the_last_byte(host: TestHost) -> None:
    with running(source := listener(host, limits=Limits(idle=0.3)), host), peer(source) as sock:
        for _ in range(6):
            sock.sendall(b"<13>x\n")
            host.settle(0.1)
        assert not host.reports and len(host.lines) == 6
        until(host.loop, lambda: is_ended(host, sock))
    assert [level for level, _ in host.reports] == [3] and host.said("silent for 0.3 s; ended")


def test_a_connection_that_ends_in_a_counted_message(host: TestHost) -> None:
    with running(source := listener(host), host):
        with peer(source) as sock:
            sock.sendall(b"3 abc20 <13>half")
        until(host.loop, lambda: host.reports)
    assert host.lines == [b"abc"]
    assert host.said("was ended: it ended in the middle of a message")


def test_a_connection_that_breaks_off(host: TestHost) -> None:
    with running(source := listener(host), host):
        with peer(source) as sock:
            sock.sendall(b"<13>one\n")
            host.wait_for(b"<13>one")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        until(host.loop, lambda: host.reports)
    assert host.said("was ended: it broke off: Connection reset by peer")


@pytest.mark.parametrize("forged", [b"\n", b"\r", b"\r\n", b"\0", b"\n20 "])
def test_no_counted_message_forges_a_second_line(host: TestHost, forged: bytes) -> None:
    messages = [b"<13>a: x" + forged + b"<13>root: forged", b"<13>a: next"]
    with running(source := listener(host), host):
        with peer(source) as sock:
            sock.sendall(b"".join(b"%d %s" % (len(message), message) for message in messages))
        until(host.loop, lambda: len(host.lines) == 2)
        host.settle(0.05)
    assert len(host.lines) == 2 and b"#0" in host.lines[0] and not host.reports


@pytest.mark.parametrize("forged", [b"\r", b"\0"])
def test_only_a_line_feed_ends_a_line(host: TestHost, forged: bytes) -> None:
    with running(source := listener(host), host):
        with peer(source) as sock:
            sock.sendall(b"<13>a: x" + forged + b"<13>root: forged\n")
        until(host.loop, lambda: host.lines)
    assert len(host.lines) == 1 and b"#0" in host.lines[0]


def test_who_may_not_send_is_refused_and_counted(host: TestHost) -> None:
    with running(source := listener(host, "127.0.0.1"), host):
        for _ in range(5):
            with peer(source, "127.0.0.2") as stranger:
                until(host.loop, lambda stranger=stranger: is_ended(host, stranger))  # type: ignore[misc]
        with peer(source) as sock:
            sock.sendall(b"hello\n")
            host.wait_for(b"hello")
        assert host.said("a connection of 127.0.0.2 to tcp 127.0.0.1:0 was refused (add it to 'allow')")
        assert len(host.reports) == 1
    assert host.said("4 more connections to tcp 127.0.0.1:0 were refused in the last minute")


def test_ipv4_over_ipv6_is_ipv4(host: TestHost) -> None:
    with running(source := listener(host, "127.0.0.1", address=ListenAddress("tcp", "*", 0)), host), peer(source) as sock:
        sock.sendall(b"hello\n")
        host.wait_for(b"hello")
    assert host.chunks[0].peer == "127.0.0.1"


def test_a_pause_makes_peers_wait(host: TestHost) -> None:
    source = listener(host, limits=Limits(idle=0.3))
    with running(source, host), peer(source) as sock:
        sock.sendall(b"one\n")
        host.wait_for(b"one")
        source.pause()
        sock.sendall(b"two\n")
        with peer(source) as newcomer:
            newcomer.sendall(b"three\n")
            host.settle(0.5)
            assert host.lines == [b"one"] and not host.reports  # waiting for us is no silence
            source.resume()
            until(host.loop, lambda: len(host.lines) == 3)


def test_a_pause_in_the_middle_of_a_turn(host: TestHost) -> None:
    source = listener(host)
    host.on_deliver = lambda chunk: source.pause()
    with running(source, host), peer(source) as sock, peer(source) as other:
        sock.sendall(b"one\n")
        other.sendall(b"two\n")
        until(host.loop, lambda: host.lines)
        host.settle(0.1)
        assert len(host.lines) == 1
        host.on_deliver = lambda chunk: None
        source.resume()
        until(host.loop, lambda: len(host.lines) == 2)
        source.pause()


def test_paused_before_it_is_open(host: TestHost) -> None:
    source = listener(host)
    source.pause()
    with running(source, host), peer(source) as sock:
        sock.sendall(b"one\n")
        host.settle(0.1)
        assert not host.lines
        source.resume()
        host.wait_for(b"one")


def test_a_flooding_peer_does_not_hold_others_up(host: TestHost) -> None:
    """Whatever waits of one, each turn takes only so much of it."""
    with running(source := listener(host), host), peer(source) as flood, peer(source) as other:
        flood.setblocking(False)
        other.sendall(b"<13>me too\n")
        line = b"<13>" + b"x" * 95 + b"\n"
        for _ in range(200):
            if any(b"me too" in chunk.data for chunk in host.chunks):
                break
            try:
                while flood.send(line * 1000) == 100_000:
                    pass
            except BlockingIOError:
                pass
            host.loop.turn(1)
        assert any(b"me too" in chunk.data for chunk in host.chunks)
        assert sum(len(chunk.data) for chunk in host.chunks) <= 5 * streams.MOST
        assert max(len(chunk.data) for chunk in host.chunks) <= streams.MOST + 100


def test_turns_are_short_when_there_are_many(host: TestHost) -> None:
    with running(source := listener(host), host), ExitStack() as stack:
        assert source.turn_size == streams.MOST
        for _ in range(100):
            stack.enter_context(peer(source))
        until(host.loop, lambda: source.turn_size < streams.TURN / 90)
        assert source.turn_size >= streams.LEAST


def test_full(host: TestHost) -> None:
    """All places are taken by peers with one each: the next one finds none."""
    with running(source := listener(host, limits=Limits(connections=2)), host):
        with peer(source, "127.0.0.2") as two, peer(source, "127.0.0.3") as three:
            two.sendall(b"two\n")
            three.sendall(b"three\n")
            until(host.loop, lambda: len(host.lines) == 2)
            with peer(source, "127.0.0.4") as four:
                until(host.loop, lambda: is_ended(host, four))
            assert host.said("of 127.0.0.4 to tcp 127.0.0.1:0 found no place (max_connections is 2)")
        host.settle(0.05)
        with peer(source, "127.0.0.4") as four:
            four.sendall(b"four\n")
            until(host.loop, lambda: len(host.lines) == 3)


def test_no_peer_can_take_all_places(host: TestHost) -> None:
    with running(source := listener(host, limits=Limits(connections=10)), host), ExitStack() as stack:
        hogs = [stack.enter_context(peer(source, "127.0.0.2")) for _ in range(10)]
        for number, hog in enumerate(hogs):
            hog.sendall(b"%d\n" % number)
            until(host.loop, lambda number=number: len(host.lines) == number + 1)  # type: ignore[misc]
        for number in range(5):
            sock = stack.enter_context(peer(source, "127.0.0.3"))
            sock.sendall(b"mine\n")
            until(host.loop, lambda number=number: host.lines.count(b"mine") == number + 1)  # type: ignore[misc]
        with peer(source, "127.0.0.3") as sixth:
            until(host.loop, lambda: is_ended(host, sixth))  # half of the places is the fair share of two
        assert [is_ended(host, hog) for hog in hogs] == [True] * 5 + [False] * 5
    assert len(host.said("others need its place, and it has more of them")) == 5


def test_all_together_keep_only_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HELD", 300_000)
    host = TestHost(max_line=1 << 18)
    with running(source := listener(host), host), ExitStack() as stack:
        for number in range(4):
            sock = stack.enter_context(peer(source))
            sock.sendall(b"<13>" + b"x" * (100_000 + number))
            host.settle(0.05)
        until(host.loop, lambda: host.said("and no end, and others do the same"))
    assert len(host.reports) >= 1
    host.loop.close()


def test_a_long_line_is_cut() -> None:
    host = TestHost(max_line=100)
    with running(source := listener(host), host), peer(source) as sock:
        sock.sendall(b"<13>" + b"a" * 50_000 + b"end\nnext\n")
        until(host.loop, lambda: len(host.lines) == 2)
    assert host.lines == [b"<13>" + b"a" * 93 + b"end", b"next"]
    host.loop.close()


def test_out_of_descriptors(host: TestHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newcomers wait a little, instead of turning the loop hot."""
    monkeypatch.setattr(streams, "ACCEPT_AGAIN", 0.1)
    accept = socket.socket.accept

    def refuse(sock: socket.socket) -> tuple[socket.socket, object]:
        raise OSError(24, "Too many open files")

    with running(source := listener(host), host), peer(source) as sock:
        sock.sendall(b"one\n")
        monkeypatch.setattr(socket.socket, "accept", refuse)
        begin = time.process_time()
        host.settle(0.3)
        assert time.process_time() - begin < 0.2
        assert host.said("takes no more connections now: Too many open files")
        monkeypatch.setattr(socket.socket, "accept", accept)
        host.wait_for(b"one")


def test_a_port_in_use(host: TestHost) -> None:
    with running(source := listener(host), host):
        with pytest.raises(SourceError, match="another program listens there"):
            listener(host, address=ListenAddress("tcp", "127.0.0.1", source.port)).open()


def test_no_descriptor_is_left(host: TestHost) -> None:
    before = os.listdir("/proc/self/fd")
    with running(source := listener(host), host), ExitStack() as stack:
        socks = [stack.enter_context(peer(source)) for _ in range(5)]
        for sock in socks:
            sock.sendall(b"one\n")
        until(host.loop, lambda: len(host.lines) == 5)
        source.pause()
    assert os.listdir("/proc/self/fd") == before
