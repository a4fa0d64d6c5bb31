"""The control socket in a loop of its own: what hostile, slow and dead clients get, and that others notice nothing."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from logtrigger.control import listener, server
from logtrigger.control.protocol import LONGEST, No, Refused, Request, Rows, Wait
from logtrigger.control.server import Server
from logtrigger.errors import ControlError
from logtrigger.loop import Loop

STATUS = b'{"version": 1, "command": "count", "upto": 2}\n'


class House:
    """A server in this process: its loop turns while somebody waits for something."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "socket"
        self.loop = Loop()
        self.said: list[str] = []
        self.closed: list[str] = []  # commands whose rows were closed
        self.bring: list[Callable[[Any], None]] = []  # what waits to be brought something
        self.made = 0
        self.users: list[int] = []
        self.server = Server(self.loop, lambda level, text: self.said.append(text), self.answer)
        self.clients: list[socket.socket] = []

    def answer(self, request: Request) -> Rows:
        self.users.append(request.user)
        try:
            match request.command:
                case "count":
                    for number in range(request.arguments["upto"]):
                        self.made += 1
                        yield {"number": number, "padding": "x" * request.arguments.get("padding", 0)}
                case "wait":
                    brought = yield Wait(self.bring.append)
                    yield {"brought": brought}
                case "follow":
                    while True:
                        brought = yield Wait(self.bring.append, for_ever=True)
                        yield {"brought": brought}
                case "no":
                    raise No("not at all")
                case "fault":
                    raise RuntimeError("boom")
                case "sum":
                    return {"sum": 3}
                case other:
                    raise Refused(f"unknown command '{other}'", "ask for count")
        finally:
            self.closed.append(request.command)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(str(self.path))
        client.setblocking(False)
        self.clients.append(client)
        self.turn()
        return client

    def turn(self, times: int = 3) -> None:
        for _ in range(times):
            self.loop.turn(0)

    def read(self, client: socket.socket, until: Callable[[bytes], bool] = lambda data: b'"end"' in data) -> bytes:
        """What a client gets, until that is enough or the server hangs up."""
        data, end = b"", time.monotonic() + 10
        while not until(data):
            assert time.monotonic() < end, data[-1000:]
            self.loop.turn(0.01)
            try:
                piece = client.recv(1 << 16)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                break
            if not piece:
                break
            data += piece
        return data

    def ask(self, raw: bytes) -> list[Any]:
        client = self.connect()
        client.sendall(raw)
        return rows(self.read(client))

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.server.close()
        self.loop.close()


def rows(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path)
    one.server.serve(one.path)
    yield one
    one.close()


def test_rows_and_a_last_line(house: House) -> None:
    assert [row.get("number", row.get("end")) for row in house.ask(STATUS)] == [0, 1, "done"]
    assert house.users == [os.geteuid()]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ('{"version":1,"command":"no"}', {"end": "no", "text": "not at all"}),
        ('{"version":1,"command":"sum"}', {"end": "done", "sum": 3}),
        ('{"version":1,"command":"zebra"}', {"end": "error", "error": "unknown command 'zebra'", "remedy": "ask for count"}),
    ],
)
def test_how_an_answer_ends(house: House, request_: str, answer: object) -> None:
    assert house.ask(request_.encode() + b"\n") == [answer]


def test_fault_of_our_own_ends_one_answer_only(house: House) -> None:
    [row] = house.ask(b'{"version":1,"command":"fault"}\n')
    assert (row["end"], "RuntimeError('boom')" in row["error"]) == ("error", True)
    assert "RuntimeError('boom')" in house.said[0]
    assert len(house.ask(STATUS)) == 3


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"status\n", "this is no line of JSON"),
        (b"\n", "this is no line of JSON"),
        (bytes(range(256)) * 4 + b"\n", "this is no line of JSON"),
        (b"\xff\xfe\n", "this is no line of JSON"),
        (b"[" * 60_000 + b"\n", "this is no line of JSON"),
        (b"9" * 60_000 + b"\n", "this is no line of JSON"),
        (b"[]\n", "this is no JSON object"),
        (b'{"command":"count"}\n', "a request without a version is not understood here"),
        (b'{"version":2,"command":"count"}\n', "version 2 is not understood here"),
        (b'{"version":true,"command":"count"}\n', "version True is not understood here"),
        (b'{"version":1}\n', "'command' is missing"),
        (b'{"version":1,"command":["count"]}\n', "'command' is missing"),
        (b"x" * (1 << 20), f"this request is longer than {LONGEST} bytes"),
    ],
)
def test_noise_is_answered_and_left(house: House, raw: bytes, error: str) -> None:
    client = house.connect()
    while raw:
        try:
            raw = raw[client.send(raw) :]
        except BlockingIOError:
            house.turn(1)
        except (BrokenPipeError, ConnectionResetError):
            break
    [row] = rows(house.read(client, lambda data: False))
    assert (row["end"], row["error"], bool(row["remedy"])) == ("error", error, True)
    assert len(house.ask(STATUS)) == 3


def test_request_in_pieces_and_several_at_once(house: House) -> None:
    client = house.connect()
    for byte in STATUS:
        client.sendall(bytes([byte]))
        house.turn(1)
    assert len(rows(house.read(client))) == 3
    client.sendall(3 * STATUS)
    assert len(rows(house.read(client, lambda data: data.count(b'"end"') == 3))) == 9


def test_client_that_says_no_more_gets_its_answer(house: House) -> None:
    """As `printf … | socat - UNIX:…` does."""
    for command in (STATUS, b'{"version":1,"command":"wait"}\n'):
        client = house.connect()
        client.sendall(command)
        client.shutdown(socket.SHUT_WR)
        house.turn()
        for bring in house.bring:
            bring("it")
        assert b'{"end":"done"}' in house.read(client, lambda data: False)


def test_half_a_line_and_gone(house: House) -> None:
    client = house.connect()
    client.sendall(STATUS[:10])
    client.close()
    house.turn()
    assert len(house.ask(STATUS)) == 3


def test_rows_are_made_as_they_are_read(house: House) -> None:
    """Who does not read costs some kilobytes, and holds nobody up."""
    client = house.connect()
    client.sendall(b'{"version":1,"command":"count","upto":1000000,"padding":1000}\n')
    for _ in range(200):
        house.loop.turn(0)
    assert house.made < 1000
    assert len(house.ask(STATUS)) == 3
    client.close()
    house.turn()
    assert house.closed == ["count", "count"]


def test_long_answer_arrives_whole(house: House) -> None:
    client = house.connect()
    client.sendall(b'{"version":1,"command":"count","upto":5000,"padding":100}\n')
    found = rows(house.read(client))
    assert [row["number"] for row in found[:-1]] == list(range(5000))


def test_others_get_their_turn_during_a_long_answer(house: House) -> None:
    slow, quick = house.connect(), house.connect()
    slow.sendall(b'{"version":1,"command":"count","upto":100000}\n')
    quick.sendall(STATUS)
    house.turn(5)
    assert b'"end"' in quick.recv(1000)
    assert house.made < 5000


def test_waiting_for_what_comes(house: House) -> None:
    client = house.connect()
    client.sendall(b'{"version":1,"command":"follow"}\n')
    house.turn()
    for what in ("one", "two"):
        house.bring.pop()(what)
        assert rows(house.read(client, lambda data: b"\n" in data)) == [{"brought": what}]
    client.close()
    house.turn()
    assert house.closed == ["follow"]
    house.bring.pop()("too late")
    house.turn()


def test_client_that_talks_while_it_follows(house: House) -> None:
    client = house.connect()
    client.sendall(b'{"version":1,"command":"follow"}\n')
    house.turn()
    sent = 0
    for _ in range(200):
        try:
            sent += client.send(b"x" * 10_000)
        except BlockingIOError:
            house.turn(1)
    assert sent < 1 << 20  # the rest stays with it


def test_silent_clients_are_left(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.05)
    monkeypatch.setattr(server, "_LOOK_EVERY", 0.02)
    idle, deaf, following = house.connect(), house.connect(), house.connect()
    deaf.sendall(b'{"version":1,"command":"count","upto":1000000,"padding":1000}\n')
    following.sendall(b'{"version":1,"command":"follow"}\n')
    end = time.monotonic() + 5
    while time.monotonic() < end and (house.closed != ["count"] or len(house.server._open) > 1):
        house.loop.turn(0.01)
    assert house.read(idle, lambda data: False) == b""
    house.bring.pop()("still here")
    assert b"still here" in house.read(following, lambda data: b"\n" in data)


def test_too_many_connections(house: House) -> None:
    many = [house.connect() for _ in range(200)]
    [row] = rows(house.read(many[-1], lambda data: False))
    assert (row["error"], row["remedy"]) == ("64 connections are open already", "close some of them")
    for client in many:
        client.close()
    house.turn(100)
    assert len(house.ask(STATUS)) == 3


# The socket as a file


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_socket_is_ours_alone_and_goes_with_us(tmp_path: Path) -> None:
    house = House(tmp_path / "new/er")
    house.server.serve(house.path)
    assert (mode(house.path), mode(house.path.parent)) == (0o600, 0o755)
    house.close()
    assert not house.path.exists()


def test_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    house = House(tmp_path)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(house.path))
    house.server.serve(house.path)
    assert len(house.ask(STATUS)) == 3
    house.close()


def test_socket_that_is_served_stays(house: House) -> None:
    other = House(house.path.parent)
    with pytest.raises(ControlError, match=rf"socket: process {os.getpid()} answers there already: stop it, or name another"):
        other.server.serve(house.path)
    other.close()
    assert len(house.ask(STATUS)) == 3


def test_file_that_is_no_socket_stays(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.path.write_text("precious")
    with pytest.raises(ControlError, match="is there already, and no socket"):
        house.server.serve(house.path)
    assert house.path.read_text() == "precious"
    house.close()


def test_socket_of_somebody_else_stays_at_the_end(house: House) -> None:
    house.path.unlink()
    house.path.write_text("another's")
    house.server.close()
    assert house.path.read_text() == "another's"


def test_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    house = House(folder)
    house.server.serve(house.path)
    with listener.within_reach(house.path) as name, socket.socket(socket.AF_UNIX) as client:
        client.connect(name)
        client.sendall(STATUS)
        client.setblocking(False)
        assert len(rows(house.read(client))) == 3
    house.close()
    assert not house.path.exists()


def test_place_that_cannot_be_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    house = House(tmp_path)
    house.server.serve(tmp_path / "file" / "socket")
    assert house.said == [
        f"{tmp_path}/file/socket: the control socket cannot be made: Not a directory: name another place with 'option control';"
        " until then commands such as 'logtrigger status' get no answer"
    ]
    house.close()


def test_moving(house: House, tmp_path: Path) -> None:
    """As a reload may ask for; who is connected stays so."""
    client = house.connect()
    older, house.path = house.path, tmp_path / "other"
    house.server.serve(house.path)
    assert not older.exists()
    assert len(house.ask(STATUS)) == 3
    client.sendall(STATUS)
    assert len(rows(house.read(client))) == 3


def test_group_that_there_is_not(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.server.serve(house.path, "zebras")
    assert house.said == ["option control_group: there is no group 'zebras'; only root and the daemon's own user may ask"]
    assert mode(house.path) == 0o600
    house.close()


def test_no_descriptor_left(house: House) -> None:
    """It is said once a second, not in every turn, and somebody comes in as soon as there is one."""
    real = house.server._listener
    assert real is not None

    listening = real.socket

    class Full:
        fileno = listening.fileno

        def accept(self) -> None:
            raise OSError(24, "Too many open files")

    real.socket = Full()  # type: ignore[assignment]
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(house.path))
    client.sendall(STATUS)
    client.setblocking(False)
    house.turn(10)
    assert house.said == [f"{house.path}: nobody can be let in for a second: Too many open files"]
    real.socket = listening
    assert len(rows(house.read(client))) == 3
    client.close()


GROUP = "nogroup"


@pytest.mark.root
@pytest.mark.parametrize(
    ("group", "groups", "said"),
    [
        ("", [], "connect: 13"),
        (GROUP, [], "connect: 13"),
        (GROUP, [65534], '"end":"done"'),
    ],
)
def test_another_user(tmp_path: Path, group: str, groups: list[int], said: str) -> None:
    """The kernel keeps others out; the members of the group come in."""
    house, answer = House(tmp_path), tmp_path / "answer"
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    house.server.serve(house.path, group)
    assert mode(house.path) == (0o660 if group else 0o600)
    assert ask_as(house, 12345, groups, answer).find(said) >= 0
    house.close()


@pytest.mark.root
def test_mode_that_was_loosened_lets_nobody_in(tmp_path: Path) -> None:
    house, answer = House(tmp_path), tmp_path / "answer"
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    house.server.serve(house.path, GROUP)
    house.path.chmod(0o666)
    assert "user 12345 may not use this socket" in ask_as(house, 12345, [], answer)
    assert '"end":"done"' in ask_as(house, 12345, [65534], answer)
    house.close()


def ask_as(house: House, user: int, groups: list[int], answer: Path) -> str:
    """What a process of this user gets."""
    child = os.fork()
    if child == 0:
        with answer.open("w") as out:
            os.setgroups(groups)
            os.setgid(user)
            os.setuid(user)
            client = socket.socket(socket.AF_UNIX)
            try:
                client.connect(str(house.path))
                with suppress(BrokenPipeError):  # it was told why
                    client.sendall(STATUS)
                out.write(client.recv(10_000).decode())
            except OSError as error:
                out.write(f"connect: {error.errno}")
        os._exit(0)
    end = time.monotonic() + 10
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        assert time.monotonic() < end
        house.loop.turn(0.01)
    return answer.read_text()
