"""A real Alerta: its server from PyPI in a virtual environment, and a PostgreSQL, both of its own and only for the test."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.conftest import IS_ROOT, MUST_HAVE_TOOLS
from tests.ports import free_port

PACKAGES = ("alerta-server==9.1.0", "psycopg2-binary", "waitress")
KEY = "a-key-of-the-test"
ENVIRONMENTS = ("Homelab", "Homenet", "Production")
BOUND = 60.0  # seconds until it answers

# What a WSGI server is given: the application, with a key to write and read with.
SERVE = """
import sys
import waitress
from alerta import create_app
from alerta.models.key import ApiKey

app = create_app()
with app.app_context():
    ApiKey("admin@example.org", ["admin", "read", "write"], "test", key=sys.argv[2]).create()
waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=4)
"""


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is."""

    url: str

    def get(self, path: str) -> Any:
        """What it answers, from JSON."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Key {KEY}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def alerts(self, **where: str) -> list[dict[str, Any]]:
        found = self.get("/alerts?" + "&".join(f"{name}={value}" for name, value in where.items()))["alerts"]
        assert isinstance(found, list)
        return found

    def heartbeats(self) -> dict[str, dict[str, Any]]:
        return {beat["origin"]: beat for beat in self.get("/heartbeats")["heartbeats"]}


@contextmanager
def serving(environment: Path) -> Iterator[Server]:
    """The server, with AUTH_REQUIRED, until the end."""
    programs = _postgres_programs()
    folder = Path(tempfile.mkdtemp(prefix="logtrigger-alerta."))
    try:
        with _database(programs, folder) as address:
            settings = folder / "alertad.conf"
            settings.write_text(
                f"DATABASE_URL = {address!r}\nSECRET_KEY = 'of the test'\nAUTH_REQUIRED = True\n"
                f"ALLOWED_ENVIRONMENTS = {list(ENVIRONMENTS)!r}\nPLUGINS = ['reject', 'blackout', 'forwarder']\n"
            )
            port = free_port()
            with (folder / "said").open("wb") as said:
                process = subprocess.Popen(
                    [environment / "bin/python", "-c", SERVE, str(port), KEY],
                    env={"PATH": os.defpath, "ALERTA_SVR_CONF_FILE": str(settings)},
                    cwd=folder,
                    stdout=said,
                    stderr=said,
                )
            server = Server(f"http://127.0.0.1:{port}")
            try:
                _until_it_answers(server, process, folder / "said")
                yield server
            finally:
                process.terminate()
                process.wait(20)
    finally:
        shutil.rmtree(folder)


def installed(folder: Path) -> Path:
    """The virtual environment with its server, made there when it is first asked for."""
    environment, stamp, wanted = folder / "venv", folder / "installed", "\n".join((sys.version, *PACKAGES))
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(environment, ignore_errors=True)
            commands: list[list[str | Path]] = [
                [sys.executable, "-m", "venv", environment],
                [environment / "bin/python", "-m", "pip", "install", *PACKAGES],
            ]
            for command in commands:
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
                if done.returncode:
                    _missing(f"alerta-server cannot be installed: {done.stderr.strip()[-300:]}")
            stamp.write_text(wanted)
    return environment


def _missing(why: str) -> NoReturn:
    """Skip, but fail where all that is needed must be there."""
    if MUST_HAVE_TOOLS:
        pytest.fail(why)
    pytest.skip(why)


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        _missing("needs PostgreSQL: apt-get install postgresql")
    return found[-1].parent


@contextmanager
def _database(programs: Path, folder: Path) -> Iterator[str]:
    """A cluster that listens at a socket in the folder only; the URL of its database. PostgreSQL does not run as root."""
    user = "postgres" if IS_ROOT else None
    if user:
        account = pwd.getpwnam(user)
        os.chown(folder, account.pw_uid, account.pw_gid)
    folder.chmod(0o755)
    data = folder / "data"
    initdb: list[str | Path] = [
        programs / "initdb",
        "-A",
        "trust",
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
        "-D",
        data,
    ]
    subprocess.run(initdb, check=True, capture_output=True, user=user, cwd=folder, timeout=60)
    options = [
        f"unix_socket_directories={folder}",
        "listen_addresses=",
        "fsync=off",
        "max_connections=20",
        "shared_buffers=16MB",
    ]
    process = subprocess.Popen(
        [programs / "postgres", "-D", data, *(word for option in options for word in ("-c", option))],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        create: list[str | Path] = [programs / "createdb", "-h", folder, "-U", "postgres", "monitoring"]
        end = time.monotonic() + BOUND
        while subprocess.run(create, check=False, capture_output=True, timeout=20).returncode:
            assert process.poll() is None and time.monotonic() < end, "PostgreSQL does not come up"
            time.sleep(0.1)
        yield f"postgresql://postgres@/monitoring?host={folder}"
    finally:
        process.send_signal(signal.SIGINT)  # "fast": ends connections and itself
        process.wait(30)


def _until_it_answers(server: Server, process: subprocess.Popen[bytes], said: Path) -> None:
    end = time.monotonic() + BOUND
    while True:
        try:
            server.get("/alerts")
            return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None and time.monotonic() < end, said.read_text()[-3000:]
            time.sleep(0.2)
