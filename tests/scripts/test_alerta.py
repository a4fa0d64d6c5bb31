"""alerta.sh: what it posts to a real local HTTP server, with each program that can, and what it says where that fails."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import find_tool
from tests.scripts.conftest import Run
from tests.scripts.test_hostile import HOSTILE

# The shells, and what the script needs besides one of these.
TOOLS = ("busybox", "dash", "cat", "mktemp", "rm", "sed", "tr")
CLIENTS = [
    pytest.param("curl", id="curl", marks=pytest.mark.tool("curl")),
    pytest.param("wget", id="wget", marks=pytest.mark.tool("wget")),
    pytest.param("busybox", id="busybox", marks=pytest.mark.tool("busybox")),
]
GIVEN = {
    "LT_name": "OpenSSH_WrongPass",
    "LT_message": "Jan  6 17:26:44 nas sshd[812]: Failed password for root from 192.0.2.7 port 50234 ssh2",
    "LT_host": "nas",
    "LT_user": "root",
    "LT_ip": "192.0.2.7",
    "LT_count": "5",
}


class Web:
    """What was asked of it; it answers with `status`."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.status = 201
        self.url = ""


@pytest.fixture
def web() -> Iterator[Web]:
    told = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.requests.append((self.path, dict(self.headers), json.loads(body)))
            answer = json.dumps({"status": "ok" if told.status < 300 else "error", "message": "unknown environment"}).encode()
            self.send_response(told.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def tools(folder: Path, client: str) -> str:
    """A PATH on which there is only one program that can post, and what the script needs besides."""
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(str(find_tool(name)))
    if client:
        (folder / ("wget" if client == "busybox" else client)).symlink_to(str(find_tool(client)))
    return str(folder)


@pytest.mark.parametrize("client", CLIENTS)
def test_alert(run: Run, web: Web, tmp_path: Path, client: str) -> None:
    key = tmp_path / "key"
    key.write_text("k3y\n")
    given = {
        "ALERTA_URL": f"{web.url}/api/",
        "ALERTA_KEY_FILE": str(key),
        "ALERTA_EVENT": "ssh login failure in {host} from {ip} by {user}",
        "ALERTA_ENVIRONMENT": "Homelab",
        "ALERTA_SEVERITY": "information",
        "ALERTA_SERVICE": "sshd login",
        "ALERTA_CORRELATE": "SEC",
        "ALERTA_TIMEOUT": "0900",
    }
    done = run("alerta.sh", GIVEN | given, tools(tmp_path / "bin", client))
    assert (done.returncode, done.stderr) == (0, "")
    ((path, headers, said),) = web.requests
    assert (path, headers["Authorization"], headers["Content-Type"]) == ("/api/alert", "Key k3y", "application/json")
    assert said == {
        "resource": "nas",
        "event": "ssh login failure in nas from 192.0.2.7 by root",
        "value": "5",
        "text": GIVEN["LT_message"],
        "environment": "Homelab",
        "severity": "informational",
        "group": "Misc",
        "service": ["sshd", "login"],
        "correlate": ["SEC"],
        "timeout": 900,
        "origin": "logtrigger",
        "type": "logtrigger",
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_heartbeat(run: Run, web: Web, tmp_path: Path, client: str) -> None:
    given = {"ALERTA_URL": web.url, "ALERTA_SAY": "heartbeat", "ALERTA_ORIGIN": "{host}_backup", "ALERTA_TIMEOUT": "86400"}
    given |= {"ALERTA_SEVERITY": "critical"}
    assert run("alerta.sh", GIVEN | given, tools(tmp_path / "bin", client)).returncode == 0
    ((path, headers, said),) = web.requests
    assert (path, "Authorization" in headers) == ("/heartbeat", False)
    about = {"environment": "Production", "severity": "critical", "service": ["logtrigger"], "group": "Misc"}
    assert said == {"origin": "nas_backup", "timeout": 86400, "attributes": about}


@pytest.mark.parametrize("client", CLIENTS)
def test_refused(run: Run, web: Web, tmp_path: Path, client: str) -> None:
    web.status = 403
    done = run("alerta.sh", GIVEN | {"ALERTA_URL": web.url}, tools(tmp_path / "bin", client))
    assert done.returncode == 1
    assert done.stderr.startswith(f"alerta.sh: {web.url}: ")
    assert "403" in done.stderr or "unknown environment" in done.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_nobody_there(run: Run, tmp_path: Path, client: str) -> None:
    done = run("alerta.sh", GIVEN | {"ALERTA_URL": "http://me:secret@127.0.0.1:9/x"}, tools(tmp_path / "bin", client))
    assert done.returncode == 1
    assert done.stderr.startswith("alerta.sh: http://127.0.0.1:9: ")


@pytest.mark.tool("curl")
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_stands_in_the_line(run: Run, web: Web, value: str) -> None:
    """It arrives as it was, controls aside, and as nothing but text."""
    given = {"ALERTA_URL": web.url, "ALERTA_EVENT": "login of {user}", "LT_user": value, "LT_message": value}
    assert run("alerta.sh", GIVEN | given).returncode == 0
    text = "".join("?" if character < " " or character == "\x7f" else character for character in value)
    ((_, _, said),) = web.requests
    assert (said["event"], said["text"]) == (f"login of {text}", text)


@pytest.mark.tool("curl")
def test_key_in_no_command_line(run: Run, web: Web, tmp_path: Path) -> None:
    """Every user can read the arguments of others' processes."""
    (tmp_path / "key").write_text("k3y")
    path = tools(tmp_path / "bin", "")
    noted = tmp_path / "noted"
    fake = tmp_path / "bin/curl"
    fake.write_text(f'#!/bin/sh\necho "$@" >{noted}\nexec {shutil.which("curl")} "$@"\n')
    fake.chmod(0o700)
    assert run("alerta.sh", GIVEN | {"ALERTA_URL": web.url, "ALERTA_KEY_FILE": f"{tmp_path}/key"}, path).returncode == 0
    assert web.requests[0][1]["Authorization"] == "Key k3y"
    assert not {"k3y", "root"} & set(noted.read_text().split())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "ALERTA_URL must name the API"),
        ({"ALERTA_URL": "-o/etc/passwd"}, "ALERTA_URL must name the API"),
        ({"ALERTA_URL": "http://x", "ALERTA_SAY": "hello"}, "alert or heartbeat"),
        ({"ALERTA_URL": "http://x", "ALERTA_TIMEOUT": "1d"}, "no number of seconds"),
        ({"ALERTA_URL": "http://x", "ALERTA_EVENT": "{a b}"}, "{a b} is no field"),
        ({"ALERTA_URL": "http://x", "ALERTA_EVENT": "{x$(touch owned)}"}, "is no field"),
        ({"ALERTA_URL": "http://x", "ALERTA_KEY_FILE": "/nonexistent"}, "/nonexistent"),
    ],
)
def test_mistakes(run: Run, given: dict[str, str], said: str) -> None:
    done = run("alerta.sh", GIVEN | given)
    assert done.returncode != 0
    assert said in done.stderr


def test_no_program(run: Run, tmp_path: Path) -> None:
    done = run("alerta.sh", GIVEN | {"ALERTA_URL": "http://127.0.0.1:9"}, tools(tmp_path / "bin", ""))
    assert (done.returncode, done.stderr) == (1, "alerta.sh: there is no curl, wget or uclient-fetch\n")


@pytest.mark.tool("busybox")
def test_nothing_is_left(run: Run, web: Web, tmp_path: Path) -> None:
    """wget's file is gone afterwards, however it ended."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    path = tools(tmp_path / "bin", "busybox")
    for web.status in (201, 500):
        run("alerta.sh", GIVEN | {"ALERTA_URL": web.url, "TMPDIR": str(temporary)}, path)
    assert len(web.requests) == 2 and list(temporary.iterdir()) == []
