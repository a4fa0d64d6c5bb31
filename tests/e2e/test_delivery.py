"""Deliveries of the real daemon to far ends that are away, hang, refuse us or want too much of us."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import authority, sign
from tests.cli.asking import ask
from tests.live import Live, live
from tests.ports import free_port

FIRST, MANY, MOST = 10_000, 20_000, 3_000  # triggers; caches are full after the first ones
MAX_VALUE = 16 << 10  # bytes of a message that is told


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Live]:
    with live(tmp_path) as one:
        yield one


class Server:
    """A web server, and the bodies it was sent; it answers with a status."""

    def __init__(self, port: int = 0, status: int = 200, context: ssl.SSLContext | None = None) -> None:
        self.bodies: list[str] = []
        self.headers: list[dict[str, str]] = []
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.headers.append(dict(self.headers))
                told.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serving(port: int = 0, **options: Any) -> Iterator[Server]:
    server = Server(port, **options)
    try:
        yield server
    finally:
        server.close()


def action(name: str, type: str, **options: object) -> str:
    given = "".join(f"\toption {key} '{value}'\n" for key, value in options.items())
    return f"config action '{name}'\n\toption type '{type}'\n{given}"


def hook(port: int, scheme: str = "http", **options: object) -> str:
    return action("hook", "webhook", url=f"{scheme}://127.0.0.1:{port}/", **{"body": "{message}", **options})


def configure_with_token(one: Live, port: int, token: str) -> None:
    """One rule, and a server that is told of its triggers with this token."""
    file = one.folder / "token"
    file.write_text(f"{token}\n")
    file.chmod(0o600)
    one.configure(one.rule(script=None, action="hook"), hook(port, password_file=file), control=one.folder / "socket")


def status(one: Live, name: str = "hook") -> dict[str, Any]:
    facts = json.loads(ask(one, "status", "--json").stdout)
    found: dict[str, Any] = next(row for row in facts["actions"] if row["action"] == name)
    return found


def stored(one: Live) -> bool:
    """Whether nothing waits for a commit."""
    return not json.loads(ask(one, "status", "--json").stdout)["store"]["pending"]


def resident(one: Live) -> int:
    """KiB of memory."""
    assert one.process is not None
    text = Path(f"/proc/{one.process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0])


def test_server_that_was_away_is_told_all(one: Live) -> None:
    """In order and once each, also what came before a restart of the daemon, and what comes while it catches up."""
    port = free_port()
    one.configure(one.rule(script=None, action="hook"), hook(port))
    with one.running():
        one.write(*(f"hit {number}" for number in range(30)))
        one.wait_for("trying again")
    assert one.undone() == 30
    with one.running():
        one.write(*(f"hit {number}" for number in range(30, 60)))
        one.wait_for("trying again")
        with serving(port) as server:
            one.until(lambda: server.bodies, "a first request")
            one.write(*(f"hit {number}" for number in range(60, 70)))
            one.until(lambda: len(server.bodies) >= 70, "all requests")
            one.wait_for("delivers again")
    assert server.bodies == [f"hit {number}" for number in range(70)]
    assert one.undone() == 0


def test_server_that_was_away_over_a_crash_and_a_stop(one: Live) -> None:
    """What happened before a kill -9, between two starts and after them reaches it: in order, once."""
    port = free_port()
    one.configure(one.rule(script=None, action="hook"), hook(port), control=one.folder / "socket")
    one.start(level=1)
    one.wait_ready()
    one.write(*(f"hit {number}" for number in range(50)))
    one.wait_for("Connection refused; trying again")
    one.until(lambda: stored(one), "a commit")
    one.kill()
    one.write(*(f"hit {number}" for number in range(50, 100)))
    with one.running(level=1):
        one.write(*(f"hit {number}" for number in range(100, 150)))
        one.until(lambda: status(one)["waiting"] == 150, "all of them")
    with serving(port) as server, one.running(level=1):
        one.write(*(f"hit {number}" for number in range(150, 200)))
        one.until(lambda: len(server.bodies) >= 200, "all requests")
        one.until(lambda: status(one)["sent"] == 200, "the last answer")
    assert server.bodies == [f"hit {number}" for number in range(200)]


def test_secrets_are_shown_nowhere(one: Live) -> None:
    """Neither to who reads the output, nor in the answers of commands, nor in the list of processes."""
    with serving(status=401) as server:
        configure_with_token(one, server.port, "s3cret-w0rd")
        with one.running(level=5):
            one.write("hit me")
            one.wait_for("answers 401")
            assert one.process is not None
            texts = [
                ask(one, *words.split()).stdout for words in ("status --json", "rules --json", "rules Hit", "events", "check")
            ]
            texts += [Path(f"/proc/{one.process.pid}/{name}").read_text() for name in ("cmdline", "environ")]
    assert server.headers and all(headers["Authorization"] == "Bearer s3cret-w0rd" for headers in server.headers)
    assert not [text for text in [*texts, one.newest] if "s3cret" in text]
    assert b"s3cret" not in one.state.read_bytes()


def test_server_that_comes_and_goes(one: Live) -> None:
    """What was answered was told; nothing else was."""
    port, bodies = free_port(), list[str]()
    one.configure(one.rule(script=None, action="hook"), hook(port))
    with one.running():
        for turn in range(3):
            with serving(port) as server:
                one.write(*(f"hit {number}" for number in range(10 * turn, 10 * turn + 10)))
                one.until(lambda: len(server.bodies) >= 10, "ten requests")
            bodies += server.bodies
    assert bodies == [f"hit {number}" for number in range(30)]


def test_many_triggers_for_a_hanging_server(one: Live) -> None:
    """Memory and queue stay bounded, and whatever else the same rule does, it does at once."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        lines = action("lines", "log", path=f"{one.folder}/lines.log")
        one.configure(
            one.rule(script=None, action="hook lines"),
            hook(silent.getsockname()[1], max_waiting=MOST),
            lines,
            control=one.folder / "socket",
        )
        written = one.folder / "lines.log"

        def reach(count: int) -> None:
            one.until(lambda: written.exists() and written.read_bytes().count(b"\n") >= count, f"{count} lines")

        one.start(level=1)
        one.wait_ready()
        one.write(*(f"hit {number}" for number in range(FIRST)))
        reach(FIRST)
        one.until(lambda: stored(one), "a commit")
        before = resident(one)
        for begin in range(FIRST, MANY, 1_000):
            one.write(*(f"hit {number}" for number in range(begin, begin + 1_000)))
            reach(begin + 1_000)
            one.until(lambda: stored(one), "a commit")  # how much waits for one is another matter, and chance
        assert resident(one) - before < 1024  # KiB; a trigger in memory takes some KiB
        assert written.read_text() == "".join(f"hit {number}\n" for number in range(MANY))
        assert status(one)["waiting"] == MOST
        assert status(one)["given_up"] == MANY - MOST
        assert f"hook: {MOST:,} triggers wait for it already; further ones are given up (max_waiting)" in one.newest
        said = ask(one, "status").stdout
        assert "scripts        0 running, 0 waiting" in said and f"hook: 0 sent, {MOST:,} waiting, " in said
        began = time.monotonic()
        one.write("hit last")
        reach(MANY + 1)
        assert time.monotonic() - began < 5
        one.signal(15)
        one.wait_for("stopping; waiting for what hook sends (Ctrl-C")
        assert one.stop() == 0, one.output  # told twice, it waits no longer
    assert one.undone() == MOST


def test_refusals_are_told_once(one: Live) -> None:
    """Of a hundred requests that the server will not have, the operator reads one line; status counts them."""
    with serving(status=404) as server:
        one.configure(one.rule(script=None, action="hook"), hook(server.port), control=one.folder / "socket")
        with one.running(level=1):
            one.write(*(f"hit {number}" for number in range(100)))
            one.until(lambda: status(one)["given_up"] == 100, "a hundred refusals")
    assert len(server.bodies) == 100
    said = [line for line in one.newest.splitlines() if "404" in line]
    assert len(said) == 1 and said[0].endswith("answers 404 Not Found; given up"), one.newest
    assert one.undone() == 0


def test_dry_run_does_nothing(one: Live) -> None:
    """Nobody is told by any way, no script runs, and no file is written; not even those of a source."""
    port, inlet = free_port(), free_port()
    kinds: dict[str, dict[str, object]] = {
        "hook": {"type": "webhook", "url": f"http://127.0.0.1:{port}/"},
        "alerta": {"type": "alerta", "url": f"http://127.0.0.1:{port}"},
        "mail": {"type": "mail", "server": "127.0.0.1", "port": port, "sender": "w@x", "to": "a@x", "security": "none"},
        "lines": {"type": "log", "path": f"{one.folder}/out/lines.log"},
        "file": {"type": "ecs", "path": f"{one.folder}/out/ecs.log"},
        "collector": {"type": "syslog", "server": "127.0.0.1", "port": port, "transport": "tcp"},
        "run": {"type": "script", "script": one.note},
        "off": {"type": "ban", "time": "1h"},
    }
    one.configure(
        one.rule(fields="ip", file=None, source="in", ban="1h", action=" ".join(kinds)),
        f"config source 'in'\n\toption listen 'tcp:127.0.0.1:{inlet}'\n\toption write '{one.folder}/out/{{host}}.log'\n",
        *(f"config action '{name}'\n" + "".join(f"\toption {k} '{v}'\n" for k, v in of.items()) for name, of in kinds.items()),
        "config logtrigger\n\tlist on_start 'lines'\n\tlist on_ban 'lines run'\n\tlist on_stop 'hook'\n",
    )
    before = set(one.folder.iterdir())
    with socket.create_server(("127.0.0.1", port)) as server:
        server.setblocking(False)
        with one.running("--dry-run"):
            with socket.create_connection(("127.0.0.1", inlet)) as sender:
                sender.sendall(b"<13>Nov 21 08:00:00 gate app: hit 192.0.2.7\n")
                one.wait_for("dry run: ")
        with pytest.raises(BlockingIOError):
            server.accept()
    assert one.runs() == []
    assert set(one.folder.iterdir()) - before <= {one.folder / "said"}


def test_refusals_are_seen_in_status(one: Live) -> None:
    """A token that is not right, and later its reason to go on once it is: nothing was lost meanwhile."""
    with serving(status=401) as server:
        configure_with_token(one, server.port, "wrong")
        one.start()
        one.wait_ready()
        one.write("hit me")
        one.wait_for("trying again")
        facts = status(one)
        assert "answers 401" in facts["last_error"]
        assert (facts["waiting"], facts["sent"], facts["given_up"]) == (1, 0, 0)
        assert "answers 401" in ask(one, "status").stdout
        port = server.port
    with serving(port) as server:
        one.until(lambda: server.bodies, "a request")
        one.until(lambda: status(one)["sent"], "a success")
    assert one.stop() == 0


def test_certificate_that_is_not_trusted_is_seen_in_status(one: Live) -> None:
    signer = authority(one.folder, "authority")
    signed = sign(signer, one.folder, "localhost", ["IP:127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.certificate, signed.key)
    with serving(context=context) as server:
        one.configure(one.rule(script=None, action="hook"), hook(server.port, "https"), control=one.folder / "socket")
        one.start()
        one.wait_ready()
        one.write("hit me")
        one.wait_for("trying again")
        assert "certificate" in status(one)["last_error"]
        one.configure(
            one.rule(script=None, action="hook"),
            hook(server.port, "https", authority=signer.certificate),
            control=one.folder / "socket",
        )
        one.signal(1)
        one.until(lambda: server.bodies, "a request")
        assert one.stop() == 0
    assert server.bodies == ["hit me"]


def test_wrong_password_for_mail_is_seen_in_status(one: Live) -> None:
    """A login that is refused is tried again: the password may be put right."""
    password = one.folder / "password"
    password.write_text("sesame\n")
    password.chmod(0o600)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def refuse() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rwb", buffering=0) as stream:
                stream.write(b"220 mail.example.org\r\n")
                for line in stream:
                    word = line[:4].upper()
                    answers = {b"EHLO": b"250-mail.example.org\r\n250 AUTH PLAIN\r\n", b"AUTH": b"535 5.7.8 who are you?\r\n"}
                    stream.write(answers.get(word, b"250 well\r\n"))
                    if word == b"QUIT":
                        break

        threading.Thread(target=refuse, daemon=True).start()
        mail = action(
            "mail",
            "mail",
            server="127.0.0.1",
            port=server.getsockname()[1],
            security="none",
            user="w",
            password_file=password,
            sender="w@example.org",
            to="a@example.org",
        )
        one.configure(one.rule(script=None, action="mail"), mail, control=one.folder / "socket")
        one.start()
        one.wait_ready()
        one.write("hit me")
        one.wait_for("trying again")
        facts = status(one, "mail")
        assert "535" in facts["last_error"]
        assert (facts["waiting"], facts["given_up"]) == (1, 0)
        assert "sesame" not in one.newest


class Mailbox:
    """What a mail server was given."""

    def __init__(self) -> None:
        self.mails: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content.decode())
        return "250 taken"


@pytest.mark.package("aiosmtpd")
def test_flood_is_few_mails(one: Live) -> None:
    """5,000 triggers: the first is told at once, the others together; at a stop, if not before."""
    controller = pytest.importorskip("aiosmtpd.controller")
    box = Mailbox()
    server = controller.Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        mail = action(
            "mail", "mail", server="127.0.0.1", port=server.port, security="none", sender="w@example.org", to="a@example.org"
        )
        one.configure(one.rule(script=None, action="mail"), mail, control=one.folder / "socket")
        with one.running(level=1):
            one.write("hit first")
            one.until(lambda: box.mails, "a mail at once")
            one.write(*(f"hit {number}" for number in range(5_000)))
            one.until(lambda: status(one, "mail")["waiting"] == 5_000, "all that waits")
    finally:
        server.stop()
    assert one.undone() == 0
    assert "Subject: Hit:" in box.mails[0] and "more)" not in box.mails[0]
    assert "(and 4999 more)" in box.mails[1], box.mails[1]
    assert len(box.mails) == 2


def test_very_long_message(one: Live) -> None:
    """Ten megabytes in one line: its beginning is told, and the next line as ever."""
    with serving() as server:
        lines = action("lines", "log", path=f"{one.folder}/lines.log")
        one.configure(one.rule(script=None, action="hook lines"), hook(server.port), lines, max_line="16M")
        with one.running(level=1):
            one.write("hit " + "x" * (10 << 20), "hit me")
            one.until(lambda: len(server.bodies) >= 2, "two requests")
            written = one.folder / "lines.log"
            one.until(lambda: written.exists() and written.read_bytes().count(b"\n") >= 2, "two lines")
            assert resident(one) < 300_000
    assert server.bodies[1] == "hit me"
    assert 1_000 < len(server.bodies[0]) <= MAX_VALUE + 100
    long, short = (one.folder / "lines.log").read_text().splitlines()
    assert (short, set(long[4:100])) == ("hit me", {"x"})
    assert len(long) <= MAX_VALUE + 100


PLACES = [
    "../../out",
    "..",
    ".",
    "/etc/out",
    "a/../../out",
    "..\\out",
    "%2e%2e/out",
    "x" * 300,
    "-rf",
    "a\0b",
    "a b",
    "~root",
    "ä",
]


def test_nothing_is_written_elsewhere(one: Live) -> None:
    """Whatever a line says where its text is a file's name: the file lies in the folder that was meant."""
    folder = one.folder / "logs" / "in"
    lines = action("lines", "log", path=f"{folder}/{{who}}/{{who}}.log", text="{who}")
    one.configure(one.rule(script=None, action="lines"), lines)
    before = {path for path in one.folder.rglob("*")}
    with one.running():
        one.write(*(f"hit {place}" for place in PLACES))
        one.wait_for("lines: ", 1)
        one.until(lambda: len(list(folder.rglob("*.log"))) >= 8, "files")
        one.write("hit last")
        one.until(lambda: (folder / "last" / "last.log").exists(), "the last file")
    new = {path for path in one.folder.rglob("*")} - before - {one.folder / "logs", folder}
    ours = [path for path in new if not path.name.startswith(("state.db", "said")) and path.suffix != ".hs"]
    assert ours
    assert [path for path in ours if folder not in path.parents or path.is_symlink()] == []
    assert not list(one.folder.parent.glob("out*"))
