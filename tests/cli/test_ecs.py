"""`logtrigger ecs`: logs as documents, and what is said of datasets, mappings and logs that are wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from logtrigger.cli import ecs
from logtrigger.cli.commands import main
from tests import geodata

SAMPLES = Path(__file__).parents[1] / "ecs/openvpn.jsonl"
FTP = """
config dataset 'ftp'
	list program 'vsftpd'
config event
	option name 'FTP_Failed'
	option dataset 'ftp'
	option pattern '[pid %d] [%s] FAIL LOGIN: Client "%s"'
	option fields '- user ip'
	list set 'client.ip=ip'
	list value 'event.outcome=failure'
	list expect 'Sun Nov 29 17:20:03 2020 [pid 4272] [bob] FAIL LOGIN: Client "192.0.2.7" -> client.ip=192.0.2.7'
"""


@pytest.fixture(autouse=True)
def no_standard_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ecs, "DEFAULT_PATH", tmp_path / "none")


def run(*words: str | Path, text: str | bytes = "") -> Result:
    return CliRunner().invoke(main, ["ecs", *map(str, words)], input=text)


def documents(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_samples_through_the_command(tmp_path: Path) -> None:
    """As a program of its own, in UTC."""
    samples = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    log = tmp_path / "openvpn.log"
    log.write_text("".join(f"{sample['message']}\n" for sample in samples))
    command = [sys.executable, "-m", "logtrigger", "ecs", "--dataset", "openvpn", str(log)]
    done = subprocess.run(command, env={**os.environ, "TZ": "UTC"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line) for line in done.stdout.splitlines()] == samples


def test_standard_input_and_only_what_is_known() -> None:
    text = 'hello\nLDAP user "bob" was not found.\nunfinished'
    assert [one["message"] for one in documents(run("--dataset", "openvpn", text=text))] == text.splitlines()
    got = documents(run("--dataset", "openvpn", "--only-known", "-", text=text))
    assert [one["user"]["name"] for one in got] == ["bob"]
    assert run("--dataset", "openvpn", "--only-known", text="hello\n").stdout == ""


def test_own_datasets(tmp_path: Path) -> None:
    mapping = tmp_path / "ftp.conf"
    mapping.write_text(FTP)
    line = 'Sun Nov 29 17:20:03 2020 [pid 4272] [bob] FAIL LOGIN: Client "192.0.2.7"\n'
    done = run("--mapping", mapping, "--dataset", "ftp", text=line)
    assert done.exit_code == 0, done.output
    assert documents(done)[0]["client"] == {"ip": "192.0.2.7"}
    shipped = run("--mapping", mapping, text="Oct 31 15:09:55 gate sshd[1]: Invalid user x from 10.0.0.2\n")
    assert documents(shipped)[0]["source"]["ip"] == "10.0.0.2"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("client.ip=ip", "client.ip=user", "error: 'set': client.ip is of type ip"),
        ("config dataset", "config rule", "'config rule' says nothing of documents"),
        ("option name", "option nam", "unknown option 'nam'"),
        ("client.ip=192.0.2.7'", "client.ip=192.0.2.8'", "'expect' of event 'FTP_Failed': client.ip is '192.0.2.7', not"),
    ],
)
def test_mistakes_of_a_mapping(tmp_path: Path, old: str, new: str, said: str) -> None:
    mapping = tmp_path / "ftp.conf"
    mapping.write_text(FTP.replace(old, new))
    done = run("--mapping", mapping, text="x\n")
    assert done.exit_code == 2 and said in done.stderr and done.stdout == ""


def test_a_field_that_ecs_does_not_know_is_a_warning(tmp_path: Path) -> None:
    mapping = tmp_path / "ftp.conf"
    mapping.write_text(FTP.replace("event.outcome", "event.outcom"))
    done = run("--mapping", mapping, text="x\n")
    assert done.exit_code == 0 and "warning: 'event.outcom' is no field of ECS 9.3 (did you mean" in done.stderr


def test_a_configuration_s_datasets_and_databases(tmp_path: Path) -> None:
    geodata.write(tmp_path / "city.mmdb")
    path = tmp_path / "rules"
    path.write_text(f"config logtrigger\n list geoip city.mmdb\n{FTP}")
    path.chmod(0o600)
    line = 'Sun Nov 29 17:20:03 2020 [pid 4272] [bob] FAIL LOGIN: Client "192.0.2.7"\n'
    for words in (["-c", path, "ecs"], ["ecs", "-c", path]):
        done = CliRunner().invoke(main, [*map(str, words), "--dataset", "ftp"], input=line)
        assert documents(done)[0]["client"]["geo"]["city_name"] == "Helsinki", done.output


def test_a_dataset_of_the_configuration_stands_for_the_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    path.write_text("config dataset openvpn\n list value event.kind=state\n")
    path.chmod(0o600)
    got = documents(run("-c", path, "--dataset", "openvpn", text='LDAP user "bob" was not found.\n'))
    assert "user" not in got[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dataset", "opnvpn"], "there is no dataset 'opnvpn' (did you mean 'openvpn'?)"),
        (["-c", "{folder}/absent"], "absent:1: error: cannot be read"),
        (["--mapping", "{folder}/absent"], "absent: No such file or directory"),
        (["{folder}/absent.log"], "absent.log: No such file or directory"),
    ],
)
def test_what_cannot_be(tmp_path: Path, words: list[str], said: str) -> None:
    done = run(*(word.format(folder=tmp_path) for word in words), text="x\n")
    assert done.exit_code == 2 and said in done.stderr


def test_an_absent_log_does_not_keep_the_others_from_being_read(tmp_path: Path) -> None:
    (tmp_path / "there.log").write_text("hello\n")
    done = run("--dataset", "openvpn", tmp_path / "absent.log", tmp_path / "there.log")
    assert (done.exit_code, documents(done)) == (2, [{"message": "hello"}])


def test_noise_and_long_lines() -> None:
    data = b"\0\xff\xfe\x1b[2J\n" + b"x" * (3 << 20) + b"\n"
    done = run("--dataset", "openvpn", text=data)
    first, second = documents(done)
    assert first["message"] == "\0\ufffd\ufffd\x1b[2J" and len(second["message"]) == 1 << 20


def test_help_names_it() -> None:
    assert "ecs" in CliRunner().invoke(main, ["--help"]).output
