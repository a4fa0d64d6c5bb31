"""Mail to a real SMTP server, with TLS and a password, and what it cannot be made to say."""

from __future__ import annotations

import contextlib
import email
import email.policy
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from logtrigger.actions.senders import mail
from logtrigger.actions.senders.base import Refused, Secret, Unreachable
from logtrigger.actions.senders.mail import MOST_TOLD, Mail, Server
from logtrigger.model import Trigger
from logtrigger.templates import Template
from tests.actions.senders.conftest import Certificates

MakeTrigger = Callable[..., Trigger]
pytestmark = pytest.mark.package("aiosmtpd")


class Box:
    """The mail that a server has taken."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answer = "250 taken"
        self.farewell = "221 bye"
        self.refuses = b"\0"  # a text with this in it

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        return self.farewell

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("nobody"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuses in envelope.content:
            return "554 no such text"
        if self.answer.startswith("250"):
            self.recipients += envelope.rcpt_tos
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return self.answer


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def smtp(box: Box, certificates: Certificates) -> Iterator[Server]:
    """A server that wants STARTTLS and a password."""
    controller = pytest.importorskip("aiosmtpd.controller")
    auth = pytest.importorskip("aiosmtpd.smtp")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        return auth.AuthResult(success=(data.login, data.password) == (b"watch", b"w0rd"), handled=False)

    options = {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": check}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library's own
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        running = controller.Controller(box, hostname="127.0.0.1", port=port, ready_timeout=30, **options)
        running.start()
        yield Server(host="127.0.0.1", port=port, user="watch", authority=certificates.authority)
        running.stop()


def with_password(server: Server, path: Path) -> Server:
    return Server(host=server.host, port=server.port, user=server.user, authority=server.authority, password=Secret(path))


TO = ("admin@example.org", "second@example.org")


def test_mail_with_tls_and_password(
    smtp: Server, box: Box, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]
) -> None:
    mail = Mail(with_password(smtp, make_secret("w0rd")), "watch@example.org", TO, Template("{name} on {host}"))
    assert mail.send([make_trigger()]) == "sent"
    (taken,) = box.mails
    assert (taken["From"], taken["To"], taken["Subject"]) == ("watch@example.org", ", ".join(TO), "sshd on gate")
    assert taken["Auto-Submitted"] == "auto-generated"
    assert taken.get_content().splitlines() == ["Jul 14 02:40:00 gate sshd[77]: Failed password for root from 1.2.3.4"]
    assert box.recipients == list(TO)


def test_many_triggers_are_one_mail(
    smtp: Server, box: Box, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]
) -> None:
    mail = Mail(with_password(smtp, make_secret("w0rd")), "watch@example.org", TO)
    mail.send([make_trigger(number) for number in range(5000)])
    (taken,) = box.mails
    assert taken["Subject"] == "sshd: 1.2.3.4 root (and 4999 more)"
    assert len(taken.get_content().splitlines()) == MOST_TOLD + 1
    assert "and 4900 more" in taken.get_content()


def test_what_was_not_kept_is_counted(make_trigger: MakeTrigger) -> None:
    """Of a flood the outbox keeps the texts of the first ones only; they may have gone by the time it is told."""
    text = Mail(Server(host="h"), "w@x", TO).message([make_trigger(1), make_trigger(2).bare()]).get_content()
    assert text.splitlines()[1:] == ["… and 1 more, which are in the log."]


def test_no_field_can_add_a_header(
    smtp: Server, box: Box, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]
) -> None:
    mail = Mail(with_password(smtp, make_secret("w0rd")), "watch@example.org", TO, Template("{user}"))
    mail.send([make_trigger(fields={"user": "root\r\nBcc: all@example.org\r\n\r\nbody"})])
    (taken,) = box.mails
    assert taken["Bcc"] is None
    assert taken["Subject"] == "root Bcc: all@example.org body"
    assert box.recipients == list(TO)


@pytest.mark.parametrize(
    "user",
    [
        "=?utf-8?q?=0D=0ABcc:_all@example.org=0D=0A=0D=0Abody?=",
        "=?us-ascii?b?DQpCY2M6IGFsbEBleGFtcGxlLm9yZw==?=",
        "=?x?q?=0ABcc:_all@example.org?= =?utf-8?q?=0D?=",
        "=?utf-8?q?" + "=0ABcc:_a" * 90,
        "x" * 5_000,
        "é" * 5_000,
    ],
)
def test_no_encoded_word_can_add_a_header(
    smtp: Server, box: Box, make_trigger: MakeTrigger, make_secret: Callable[[str], Path], user: str
) -> None:
    """Who logs in as `=?utf-8?q?=0D=0A…` has that written into the subject, as it stands."""
    mail = Mail(with_password(smtp, make_secret("w0rd")), "watch@example.org", TO, Template("{user}{user}"))
    mail.send([make_trigger(fields={"user": user})])
    (taken,) = box.mails
    wanted = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
    assert [name for name in taken.keys() if name[:2] not in ("Co", "MI", "X-")] == wanted
    assert taken["Subject"] == (user[:900] * 2)[:900]
    assert taken.get_content().splitlines() == ["Jul 14 02:40:00 gate sshd[77]: Failed password for root from 1.2.3.4"]


def test_a_subject_of_two_lines_is_one(make_trigger: MakeTrigger) -> None:
    """A line end in the configuration's own text, which would else make each mail a fault."""
    message = Mail(Server(host="h"), "w@x", TO, Template("logins\n{user}\0\x1b[2J")).message([make_trigger()])
    assert message["Subject"] == "logins root??[2J"
    assert b"\nSubject: logins root??[2J\n" in message.as_bytes()


def test_a_text_that_the_server_refuses_keeps_no_other_from_being_told(
    smtp: Server, box: Box, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]
) -> None:
    """Whoever logs in under a name that a virus scanner knows would else have the mail about the others refused, too."""
    box.refuses = b"EICAR"
    mail = Mail(with_password(smtp, make_secret("w0rd")), "watch@example.org", TO)
    said = mail.send([make_trigger(1), make_trigger(2, message="EICAR"), make_trigger(3, rule="vpn")])
    assert said == f"sent with 2 others without their texts: {smtp.host}:{smtp.port} answers 554 no such text"
    (taken,) = box.mails
    assert taken["Subject"] == "logtrigger: 3 triggers"
    assert taken.get_content().splitlines()[2:] == ["sshd: 2 triggers", "vpn: 1 trigger"]


def test_what_was_taken_is_sent_whatever_the_server_says_in_the_end(
    smtp: Server, box: Box, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]
) -> None:
    box.farewell = "500 I do not know that word"
    assert Mail(with_password(smtp, make_secret("w0rd")), "watch@example.org", TO).send([make_trigger()]) == "sent"
    assert len(box.mails) == 1


def test_huge_message(smtp: Server, box: Box, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]) -> None:
    mail = Mail(with_password(smtp, make_secret("w0rd")), "watch@example.org", TO)
    mail.send([make_trigger(message="x" * 10_000_000)])
    assert len(box.mails[0].get_content()) < 300_000


def test_wrong_password_can_be_mended(smtp: Server, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]) -> None:
    mail = Mail(with_password(smtp, make_secret("wrong")), "watch@example.org", TO)
    with pytest.raises(Unreachable, match="answers 535"):
        mail.send([make_trigger()])


def test_password_that_cannot_be_sent_is_not_quoted(
    smtp: Server, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]
) -> None:
    mail = Mail(with_password(smtp, make_secret("pä55")), "watch@example.org", TO)
    with pytest.raises(Unreachable, match="can be sent where they are ASCII only") as caught:
        mail.send([make_trigger()])
    assert "xe4" not in str(caught.value)


def test_certificate_of_somebody_else(smtp: Server, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]) -> None:
    server = Server(host=smtp.host, port=smtp.port, user=smtp.user, password=Secret(make_secret("w0rd")))
    with pytest.raises(Unreachable, match="its certificate is refused"):
        Mail(server, "watch@example.org", TO).send([make_trigger()])


@pytest.mark.parametrize(("answer", "kind"), [("451 later", Unreachable), ("554 never", Refused)])
def test_answers(
    smtp: Server, box: Box, make_trigger: MakeTrigger, make_secret: Callable[[str], Path], answer: str, kind: type[Exception]
) -> None:
    box.answer = answer
    mail = Mail(with_password(smtp, make_secret("w0rd")), "watch@example.org", TO)
    with pytest.raises(kind, match=answer):
        mail.send([make_trigger()])


def test_recipients_that_do_not_exist(
    smtp: Server, box: Box, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]
) -> None:
    server = with_password(smtp, make_secret("w0rd"))
    said = Mail(server, "watch@example.org", ("nobody@example.org", "admin@example.org")).send([make_trigger()])
    assert said == "sent, but not to nobody@example.org"
    with pytest.raises(Refused, match="refuses nobody@example.org 550 no such user"):
        Mail(server, "watch@example.org", ("nobody@example.org",)).send([make_trigger()])


@pytest.mark.parametrize(("drip", "why"), [(b"2", "timed out"), (b"220-never\r\n" * 1000, "it says too much")])
def test_who_never_comes_to_the_end_keeps_nobody_busy(
    make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch, drip: bytes, why: str
) -> None:
    """A greeting that comes a byte at a time, each in time, and one of lines without end."""
    monkeypatch.setattr(mail, "PATIENCE", 0.3 if len(drip) == 1 else 60.0)
    enough = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                while not enough.wait(0.01 if len(drip) == 1 else 0):
                    connection.sendall(drip)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(Unreachable, match=why):
            Mail(Server(host="127.0.0.1", port=server.getsockname()[1]), "a@example.org", TO).send([make_trigger()])
        enough.set()
        thread.join(10)


def test_what_a_server_does_not_offer_it_may_offer_later(make_trigger: MakeTrigger, smtp: Server) -> None:
    """Somebody on the way may have taken STARTTLS out of its answer: nothing is sent as plain text, and nothing is lost."""
    controller = pytest.importorskip("aiosmtpd.controller")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = controller.Controller(box := Box(), hostname="127.0.0.1", port=port, ready_timeout=30)
    running.start()
    try:
        with pytest.raises(Unreachable, match="STARTTLS extension not supported"):
            Mail(Server(host="127.0.0.1", port=port), "a@example.org", TO).send([make_trigger()])
        assert box.mails == []
    finally:
        running.stop()


def test_server_that_is_away(make_trigger: MakeTrigger) -> None:
    with pytest.raises(Unreachable, match="Connection refused"):
        Mail(Server(host="127.0.0.1", port=1), "a@example.org", TO).send([make_trigger()])
