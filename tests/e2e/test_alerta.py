"""Alerts and heartbeats at a real Alerta server: by the sender, by the script, and by the whole daemon."""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from logtrigger.actions.making import sender_of
from logtrigger.actions.senders.alerta import SEVERITIES, Alert, Alerta
from logtrigger.actions.senders.base import Refused, Secret, Sender, Unreachable
from logtrigger.config import options
from logtrigger.errors import Place
from logtrigger.model import Trigger
from logtrigger.rule import ActionOptions
from logtrigger.templates import Template
from tests.e2e.alertaserver import KEY, Server, installed, serving
from tests.live import live
from tests.ports import free_port

pytestmark = pytest.mark.timeout(600)  # the first run installs the server

SCRIPT = Path(__file__).parents[2] / "scripts/alerta.sh"
NOW: Callable[[], float] = time.time  # noqa: TID251  the server judges by its own clock


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    assert request.config.cache is not None
    with serving(installed(request.config.cache.mkdir("alerta"))) as server:
        yield server


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The file with the API key."""
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def make_sender(server: Server, key: Path) -> Callable[..., Sender]:
    """The sender of an action as the configuration would have it."""

    def make(**given: Any) -> Sender:
        texts: dict[str, Any] = {
            name: Template(given.pop(name)) for name in ("resource", "event", "text", "value", "origin") if name in given
        }
        values: dict[str, Any] = {
            "url": server.url,
            "password_file": key,
            "environment": "Homelab",
            "service": ("sshd",),
            **given,
            **texts,
        }
        own = options.ACTIONS["alerta"](**values)
        return sender_of(ActionOptions(name="alerta", place=Place("rules.conf", 1), type="alerta", own=own))

    return make


def trigger(**given: Any) -> Trigger:
    values: dict[str, Any] = {
        "rule": "OpenSSH_Login",
        "key": ("192.0.2.7",),
        "count": 1,
        "time": NOW(),
        "late": 0,
        "fields": {"user": "alice", "ip": "192.0.2.7"},
        "message": "Jan  6 17:26:44 nas sshd[812]: Accepted publickey for alice from 192.0.2.7 port 50234 ssh2",
        "body": "Accepted publickey for alice from 192.0.2.7 port 50234 ssh2",
        "host": "nas",
        "program": "sshd",
        "pid": "812",
        "source": "/var/log/auth.log",
        "id": "OpenSSH_Login@1:2",
    }
    return Trigger(**(values | given))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def found(server: Server, event: str) -> dict[str, Any]:
    """The one alert of an event."""
    (one,) = server.alerts(event=quote(event))
    return one


# The sender


@pytest.mark.parametrize(
    ("written", "known"),
    [("information", "informational"), ("warning", "warning"), ("critical", "critical"), ("major", "major"), (None, "warning")],
)
def test_severity(server: Server, make_sender: Callable[..., Sender], written: str | None, known: str) -> None:
    """What configurations for other programs call `information` included."""
    event = f"Accepted for {{user}} as {written}"
    said = make_sender(event=event, severity=written, correlate=("SEC",), text="{message}", value="{count}").send([trigger()])
    alert = found(server, f"Accepted for alice as {written}")
    assert said == f"HTTP 201, id {alert['id']}"
    assert (alert["severity"], alert["resource"], alert["environment"]) == (known, "nas", "Homelab")
    assert (alert["service"], alert["text"], alert["value"]) == (["sshd"], trigger().message, "1")
    assert alert["correlate"] == ["SEC"] or set(alert["correlate"]) == {"SEC", alert["event"]}


def test_everything_a_section_can_say(server: Server, make_sender: Callable[..., Sender]) -> None:
    given = {"group": "Login", "tag": (Template("{ip}"),), "attribute": (("user", Template("{user}")),), "timeout": 3600.0}
    make_sender(event="all of it", **given).send([trigger()])
    alert = found(server, "all of it")
    assert (alert["group"], alert["tags"], alert["timeout"]) == ("Login", ["192.0.2.7"], 3600)
    assert alert["attributes"]["user"] == "alice"
    assert (alert["origin"], alert["type"]) == ("logtrigger/nas", "logtrigger")


def test_duplicates_are_one_alert(server: Server, make_sender: Callable[..., Sender]) -> None:
    sender = make_sender(event="again and again")
    for _ in range(3):
        sender.send([trigger()])
    assert found(server, "again and again")["duplicateCount"] == 2


def test_another_severity_is_the_same_alert(server: Server, make_sender: Callable[..., Sender]) -> None:
    for severity in ("warning", "critical"):
        make_sender(event="worse", severity=severity).send([trigger()])
    alert = found(server, "worse")
    assert (alert["severity"], alert["previousSeverity"], alert["duplicateCount"]) == ("critical", "warning", 0)


@pytest.mark.parametrize(
    "value", ["'; DROP TABLE alerts; --", '{"a": [', "Zoë \u20ac \U0001f512", "<script>alert(1)</script>", "$(id)"]
)
def test_whatever_stands_in_the_line(server: Server, make_sender: Callable[..., Sender], value: str) -> None:
    make_sender(event="odd", resource="{user}", text="{user}").send([trigger(fields={"user": value})])
    assert [alert["text"] for alert in server.alerts(event="odd", resource=quote(value))] == [value]


def test_however_long_a_name_is(server: Server, make_sender: Callable[..., Sender]) -> None:
    """Its database takes 2,704 bytes for what it finds alerts by; a name of wide characters can be longer."""
    choose = random.Random(7)
    fields = {name: "".join(chr(choose.randrange(0x20000, 0x2A000)) for _ in range(900)) for name in ("user", "from")}
    said = make_sender(event="{user}{from}", resource="{from}").send([trigger(fields=fields)])
    assert said.startswith("HTTP 201")
    said = make_sender(say="heartbeat", origin="{user}{from}", environment="Homelab").send([trigger(fields=fields)])
    assert said.startswith("HTTP 201")


def test_heartbeat_that_stops_goes_stale(server: Server, make_sender: Callable[..., Sender]) -> None:
    make = {"say": "heartbeat", "environment": "Homelab", "severity": "critical"}
    make_sender(origin="{host}_backup", timeout=86_400.0, **make).send([trigger()])
    make_sender(origin="{host}_stopped", timeout=1.0, **make).send([trigger()])
    beat = server.heartbeats()["nas_backup"]
    assert (beat["status"], beat["timeout"]) == ("ok", 86_400)
    assert beat["attributes"] == {"environment": "Homelab", "severity": "critical", "service": ["sshd"]}
    until(lambda: server.heartbeats()["nas_stopped"]["status"] == "expired")
    assert server.heartbeats()["nas_backup"]["status"] == "ok"
    make_sender(origin="{host}_stopped", timeout=600.0, **make).send([trigger()])
    assert server.heartbeats()["nas_stopped"]["status"] == "ok"


def test_wrong_key_can_be_mended(server: Server, make_sender: Callable[..., Sender], tmp_path: Path) -> None:
    """A key expires, after a year by default: what is told meanwhile is not lost."""
    (tmp_path / "other").write_text("no such key\n")
    sender = make_sender(event="key", password_file=tmp_path / "other")
    with pytest.raises(Unreachable, match=f"{server.url} answers 401 .*API key parameter .* is invalid"):
        sender.send([trigger()])
    (tmp_path / "other").write_text(f"{KEY}\n")
    sender.send([trigger()])
    assert found(server, "key")


def test_no_key(make_sender: Callable[..., Sender]) -> None:
    with pytest.raises(Unreachable, match="answers 401 .*"):
        make_sender(password_file=None).send([trigger()])


def test_unknown_environment(make_sender: Callable[..., Sender]) -> None:
    with pytest.raises(Refused, match="answers 403 .*environment does not match one of Homelab"):
        make_sender(environment="Elsewhere").send([trigger()])


def test_refused_severity(server: Server, key: Path) -> None:
    """No configuration can have one; the server's word, if ever it knows fewer."""
    sender = Alerta(server.url, Alert(environment="Homelab", severity="disastrous"), Secret(key))
    with pytest.raises(Refused, match="answers 500 .*Severity"):
        sender.send([trigger()])


@pytest.mark.parametrize("severity", SEVERITIES)
def test_every_severity_is_known_there(server: Server, key: Path, severity: str) -> None:
    alert = Alert(environment="Homelab", severity=severity, event=Template(f"it is {severity}"))
    assert Alerta(server.url, alert, Secret(key)).send([trigger()]).startswith("HTTP 201")


def test_nobody_there(make_sender: Callable[..., Sender]) -> None:
    with pytest.raises(Unreachable, match="Connection refused"):
        make_sender(url=f"http://127.0.0.1:{free_port()}").send([trigger()])


# The script


@pytest.fixture
def script(server: Server, key: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """alerta.sh with these variables."""
    told = {"LT_name": "Rule", "LT_message": 'a "message"', "LT_host": "nas", "LT_user": "bob", "LT_count": "1"}

    def run(**given: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "ALERTA_URL": server.url, "ALERTA_KEY_FILE": str(key), **told, **given}
        env.setdefault("ALERTA_ENVIRONMENT", "Homelab")
        return subprocess.run([SCRIPT], env=env, capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.mark.tool("curl")
def test_script_alert(server: Server, script: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    for _ in range(2):
        done = script(ALERTA_EVENT="login of {user}", ALERTA_SEVERITY="information", ALERTA_SERVICE="sshd sudo")
        assert (done.returncode, done.stderr) == (0, "")
    alert = found(server, "login of bob")
    assert (alert["severity"], alert["duplicateCount"], alert["text"]) == ("informational", 1, 'a "message"')
    assert alert["service"] == ["sshd", "sudo"]


@pytest.mark.tool("curl")
def test_script_heartbeat(server: Server, script: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert script(ALERTA_SAY="heartbeat", ALERTA_ORIGIN="{host}_script", ALERTA_TIMEOUT="86400").returncode == 0
    assert server.heartbeats()["nas_script"]["timeout"] == 86_400


@pytest.mark.tool("curl")
def test_script_is_refused(script: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    (tmp_path / "other").write_text("no such key")
    for given, said in (
        ({"ALERTA_KEY_FILE": str(tmp_path / "other")}, "is invalid"),
        ({"ALERTA_ENVIRONMENT": "Elsewhere"}, "does not match one of Homelab"),
        ({"ALERTA_SEVERITY": "disastrous"}, "everity"),
    ):
        done = script(**given)
        assert done.returncode == 1
        assert said in done.stderr


# The daemon


def test_line_to_alert(server: Server, key: Path, tmp_path: Path) -> None:
    """A shipped rule, what the configuration adds to it, and what the server has of it in the end."""
    with live(tmp_path) as one:
        one.configure(
            "config logtrigger\n\tlist use 'sshd-events'",
            "config logtrigger\n\tlist use 'rsnapshot'",
            f"config override\n\tlist rule '*'\n\toption file '{one.log}'",
            "config override\n\tlist rule 'OpenSSH_InvalidUser'\n\tlist action 'invalid_user'",
            "config override\n\tlist rule 'Rsnapshot_Completed'\n\tlist action 'backup'",
            f"config action 'invalid_user'\n\toption type 'alerta'\n\toption url '{server.url}'\n"
            f"\toption password_file '{key}'\n\toption environment 'Homelab'\n\tlist service 'sshd'\n"
            "\toption severity 'warning'\n\toption event 'ssh login failure in {host} with invalid user {user} from {ip}'",
            f"config action 'backup'\n\toption type 'alerta'\n\toption say 'heartbeat'\n\toption url '{server.url}'\n"
            f"\toption password_file '{key}'\n\toption environment 'Homelab'\n\toption origin '{{host}}_live'\n"
            "\toption severity 'critical'\n\toption timeout '1d'",
        )
        with one.running():
            one.write(
                "Jan  6 17:26:44 nas sshd[812]: Failed password for invalid user mallory from 192.0.2.9 port 50234 ssh2",
                "Jan  6 17:26:44 nas sshd[812]: Accepted password for alice from 192.0.2.7 port 50234 ssh2",
                "Jan  6 17:26:44 nas sshd[812]: Failed password for invalid user mallory from 192.0.2.9 port 50235 ssh2",
                "Jan  6 17:27:00 nas rsnapshot[813]: /usr/bin/rsnapshot hourly: completed successfully",
            )
            one.until(lambda: "nas_live" in server.heartbeats(), "a heartbeat")
            event = "ssh login failure in nas with invalid user mallory from 192.0.2.9"
            one.until(lambda: [alert["duplicateCount"] for alert in server.alerts(event=quote(event))] == [1], "two alerts")
        alert = found(server, event)
        assert (alert["severity"], alert["resource"], alert["service"]) == ("warning", "nas", ["sshd"])
        assert one.undone() == 0


class Down:
    """A web server that can be away; it keeps what it was sent."""

    def __init__(self) -> None:
        self.port = free_port()
        self.bodies: list[Any] = []
        self.status = 200
        self._server: ThreadingHTTPServer | None = None

    def up(self) -> None:
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if told.status == 200:
                    told.bodies.append(body)
                self.send_response(told.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}).start()

    def down(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.fixture
def web() -> Iterator[Down]:
    web = Down()
    yield web
    web.down()


def test_webhook_that_is_down_gets_everything_once_and_in_order(tmp_path: Path, web: Down) -> None:
    """Away at first, over a restart of the daemon, then there but ill, then well."""
    with live(tmp_path) as one:
        hook = "config action 'hook'\n\toption type 'webhook'\n" + f"\toption url 'http://127.0.0.1:{web.port}/'\n"
        body = '\toption body \'{{"who": "{who}", "id": "{id}"}}\''
        one.configure(one.rule(script=None, action="hook"), hook + body)
        with one.running():
            one.write(*(f"hit {number}" for number in range(40)))
            one.wait_for("Connection refused")
        assert one.undone() == 40
        with one.running():
            one.write(*(f"hit {number}" for number in range(40, 60)))
            one.wait_for("Connection refused")
            web.status = 503
            web.up()
            one.wait_for("trigger Hit", 20)
            web.status = 200
            one.until(lambda: len(web.bodies) >= 60, "60 requests")
            one.wait_for("delivers again")
        assert [body["who"] for body in web.bodies] == [str(number) for number in range(60)]
        assert len({body["id"] for body in web.bodies}) == 60
        assert one.undone() == 0
