"""sendmail.sh: one mail a trigger, of which a log line can choose nothing but the text."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tests.conftest import find_tool
from tests.scripts.conftest import Run
from tests.scripts.test_hostile import HOSTILE

TOOLS = ("busybox", "dash", "cat", "cut", "date", "sed", "tr")
# Keeps the arguments, one a line, and the mail; ends as the file "status" says.
FAKE = """#!/bin/sh
folder=${0%/*}
printf '%s\\n' "${0##*/}" "$@" >"$folder/arguments"
cat >"$folder/mail"
exit "$(cat "$folder/status" 2>/dev/null || echo 0)"
"""
GIVEN = {
    "LT_name": "PfSense_Web_Login",
    "LT_message": "Jan  6 17:26:44 php-fpm[812]: /index.php: Successful login for user 'admin' from: 192.0.2.7",
    "LT_key": "192.0.2.7",
    "LT_user": "admin",
    "LT_count": "1",
    "MAIL_TO": "admin@example.org",
}


class Mailer:
    """A stand-in for a machine's mailer, and what it was given."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.path = folder, str(folder)
        folder.mkdir()
        for tool in TOOLS:
            (folder / tool).symlink_to(str(find_tool(tool)))
        (folder / name).write_text(FAKE)
        (folder / name).chmod(0o755)

    @property
    def arguments(self) -> list[str]:
        return (self.folder / "arguments").read_text().splitlines()

    @property
    def mail(self) -> EmailMessage:
        raw = (self.folder / "mail").read_bytes()
        assert b"\r" not in raw
        found = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found


@pytest.fixture(params=["sendmail", "msmtp"])
def mailer(request: pytest.FixtureRequest, tmp_path: Path) -> Mailer:
    return Mailer(tmp_path / "bin", request.param)


def test_mail(run: Run, mailer: Mailer) -> None:
    given = {
        "MAIL_TO": "admin@example.org root",
        "MAIL_FROM": "watch@example.org",
        "MAIL_SUBJECT": "{user} has logged in to pfSense from {key}",
    }
    done = run("sendmail.sh", GIVEN | given, mailer.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert mailer.arguments[1:] == ["-i", "-f", "watch@example.org", "admin@example.org", "root"]
    mail = mailer.mail
    assert (mail["From"], mail["To"]) == ("watch@example.org", "admin@example.org, root")
    assert mail["Subject"] == "admin has logged in to pfSense from 192.0.2.7"
    assert parsedate_to_datetime(mail["Date"]).tzinfo
    assert mail["Auto-Submitted"] == "auto-generated"
    lines = mail.get_content().splitlines()
    assert lines[0] == GIVEN["LT_message"]
    assert "key      192.0.2.7" in lines


def test_what_is_said_where_nothing_is_set(run: Run, mailer: Mailer) -> None:
    assert run("sendmail.sh", GIVEN, mailer.path).returncode == 0
    assert mailer.arguments[1:] == ["-i", "admin@example.org"]
    assert (mailer.mail["Subject"], mailer.mail["From"]) == ("PfSense_Web_Login: 192.0.2.7", None)


@pytest.mark.parametrize("value", [*HOSTILE.values(), "x\r\nBcc: all@example.org\r\n\r\nhello", "\n.\nQUIT\n"])
def test_nothing_becomes_a_header(run: Run, mailer: Mailer, value: str) -> None:
    variables = {f"LT_{name}": value for name in ("name", "message", "key", "user", "count", "source", "id")}
    done = run("sendmail.sh", variables | {"MAIL_TO": "root", "MAIL_SUBJECT": "{user} {key}"}, mailer.path)
    assert done.returncode == 0
    assert mailer.arguments[1:] == ["-i", "root"]
    mail = mailer.mail
    names = ["To", "Subject", "Date", "Auto-Submitted", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]
    assert mail.keys() == names
    assert mail["To"] == "root" and str(mail["Subject"]).isascii()
    assert all(len(line) <= 998 for line in (mailer.folder / "mail").read_bytes().split(b"\n"))
    text = "".join("?" if character < " " or character == "\x7f" else character for character in value)
    assert mail.get_content().replace("\n", "").startswith(text)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"MAIL_TO": ""}, "MAIL_TO must say"),
        ({"MAIL_TO": "-X/etc/passwd"}, "is no address"),
        ({"MAIL_TO": "root -X/tmp/x"}, "is no address"),
        ({"MAIL_TO": "a@b;touch owned"}, "is no address"),
        ({"MAIL_TO": "a@b\nBcc: c@d"}, "is no address"),
        ({"MAIL_FROM": "a b"}, "one address"),
        ({"MAIL_SUBJECT": "{no field}"}, "is no field"),
    ],
)
def test_mistakes(run: Run, mailer: Mailer, given: dict[str, str], said: str) -> None:
    done = run("sendmail.sh", GIVEN | given, mailer.path)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (mailer.folder / "mail").exists()


def test_not_taken(run: Run, mailer: Mailer) -> None:
    (mailer.folder / "status").write_text("75")
    done = run("sendmail.sh", GIVEN, mailer.path)
    assert (done.returncode, done.stderr) == (1, f"sendmail.sh: {mailer.arguments[0]} did not take the mail\n")


def test_no_mailer(run: Run, mailer: Mailer) -> None:
    for name in ("sendmail", "msmtp"):
        (mailer.folder / name).unlink(missing_ok=True)
    done = run("sendmail.sh", GIVEN, mailer.path)
    assert (done.returncode, done.stderr) == (1, "sendmail.sh: there is no sendmail or msmtp\n")
