"""Mail by SMTP: many triggers in one message, and few messages."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import Policy
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any

from logtrigger.actions.senders.base import MESSAGE, TIMEOUT, Refused, Secret, Unreachable, values
from logtrigger.actions.senders.patience import hear
from logtrigger.durations import amount
from logtrigger.model import Trigger
from logtrigger.templates import Template, one_line
from logtrigger.text import safe

SUBJECT = Template("{name}: {key}")
MOST_TOLD = 100  # triggers that are written out in one message; further ones are counted
PATIENCE = 120.0  # seconds for all that a server says; each single answer has TIMEOUT
LONGEST_TALK = 1 << 20  # bytes of it
LONGEST_BODY = 256 << 10  # characters
LONGEST_PLAIN = 900  # characters of a subject that are sent as they are; RFC 5322, 2.1.1 has 998 for a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How the mail server is reached."""

    host: str
    port: int = 25
    security: str = "starttls"  # tls: from the start (RFC 8314); starttls; none
    user: str = ""
    password: Secret | None = None
    authority: Path | None = None  # certificates that the server's must be signed by; None: those of the system


class _Smtp(smtplib.SMTP):
    """A server that is heard for PATIENCE, and not told more after that."""

    def __init__(self, server: Server, **options: Any) -> None:
        self._until = time.monotonic() + PATIENCE
        super().__init__(server.host, server.port, timeout=TIMEOUT, **options)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = hear(self.sock, self._until, LONGEST_TALK)
        return super().getreply()


class _SmtpInTls(_Smtp, smtplib.SMTP_SSL):
    """The same, in TLS from the start."""


class Mail:
    """One message for all triggers that wait.

    Args:
        server: where to.
        sender: the address it comes from.
        to: whom it is for.
        subject: of a message about one trigger; about several, of the first one, and how many there are.
        body: what is said of each trigger.
    """

    most, told = 10_000, MOST_TOLD

    def __init__(
        self,
        server: Server,
        sender: str,
        to: Sequence[str],
        subject: Template = SUBJECT,
        body: Template = MESSAGE,
    ) -> None:
        self._server, self._sender, self._to, self._subject, self._body = server, sender, to, subject, body

    def send(self, triggers: Sequence[Trigger]) -> str:
        others = f" with {len(triggers) - 1} others" if len(triggers) > 1 else ""
        try:
            return f"sent{others}{self._deliver(self.message(triggers))}"
        except _TextRefused as error:
            return f"sent{others}{self._deliver(self.notice(triggers))} without their texts: {error}"

    def _deliver(self, message: EmailMessage) -> str:
        """Who was left out, in words."""
        try:
            smtp = self._connected()
            try:
                refused = smtp.send_message(message)
            finally:
                with suppress(OSError, smtplib.SMTPException):  # it has been taken, or not, whatever is said of that
                    smtp.quit()
                smtp.close()
        except smtplib.SMTPDataError as error:
            fault = _answered(f"{self._place} answers", error.smtp_code, error.smtp_error)
            raise (_TextRefused(str(fault)) if isinstance(fault, Refused) else fault) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise _answered(
                f"{self._place} refuses {', '.join(error.recipients)}", *next(iter(error.recipients.values()))
            ) from None
        except smtplib.SMTPResponseException as error:
            raise _answered(f"{self._place} answers", error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPNotSupportedError as error:
            raise Refused(f"{self._place}: {error}") from None
        except smtplib.SMTPException as error:
            raise Unreachable(f"{self._place}: {error}") from None
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(f"{self._place}: its certificate is refused: {error.verify_message}") from None
        except OSError as error:
            raise Unreachable(f"{self._place}: {error.strerror or error}") from None
        return f", but not to {', '.join(refused)}" if refused else ""

    def message(self, triggers: Sequence[Trigger]) -> EmailMessage:
        """What is sent about these triggers."""
        first = values(triggers[0])
        more = f" (and {len(triggers) - 1} more)" if len(triggers) > 1 else ""
        message = self._headed(one_line(self._subject.render(first, one_line)) + more, triggers[-1].time)
        told = [self._body.render(values(trigger)) for trigger in triggers[:MOST_TOLD] if trigger.message]
        if len(triggers) > len(told):
            told.append(f"… and {len(triggers) - len(told)} more, which are in the log.")
        message.set_content("\n".join(told)[:LONGEST_BODY] + "\n")
        return message

    def notice(self, triggers: Sequence[Trigger]) -> EmailMessage:
        """What is sent where the server refuses that: nothing of what somebody else has written.

        Else a line that looks like a virus would keep all that waits with it from being told.
        """
        message = self._headed(f"logtrigger: {amount(len(triggers), 'trigger')}", triggers[-1].time)
        rules = [f"{rule}: {amount(count, 'trigger')}" for rule, count in Counter(one.rule for one in triggers).items()]
        told = "The mail server has refused the text of this mail. 'logtrigger events' has it."
        message.set_content("\n".join([told, "", *rules]) + "\n")
        return message

    def _headed(self, subject: str, at: float) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"] = self._sender, ", ".join(self._to)
        message["Subject"] = _Subject(subject)
        message["Date"] = format_datetime(_local(at))
        message["Message-ID"] = make_msgid(domain=socket.gethostname() or "localhost")
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes in return
        return message

    def close(self) -> None:
        """Nothing is kept open: a message is rare."""

    @property
    def _place(self) -> str:
        return f"{self._server.host}:{self._server.port}"

    def _connected(self) -> smtplib.SMTP:
        server, context = self._server, ssl.create_default_context(cafile=self._server.authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if server.security == "tls":
            smtp: _Smtp = _SmtpInTls(server, context=context)
        else:
            smtp = _Smtp(server)
        try:
            if server.security == "starttls":
                smtp.starttls(context=context)
            if server.user and server.password:
                smtp.login(server.user, server.password.read())
        except UnicodeEncodeError:  # which would quote what it cannot encode
            smtp.close()
            raise Unreachable(f"{self._place}: user and password can be sent where they are ASCII only") from None
        except smtplib.SMTPNotSupportedError as error:  # nor would it be by somebody on the way who leaves it out
            smtp.close()
            raise Unreachable(f"{self._place}: {error}") from None
        except BaseException:
            smtp.close()
            raise
        return smtp


class _TextRefused(Refused):
    """The server would tell those people, but not this."""


class _Subject(str):
    """A header that says what it holds. EmailMessage would decode an encoded word (RFC 2047) that somebody has written into a
    field, and send what comes out of it, line ends and all: further headers."""

    __slots__ = ()
    name = "Subject"  # what has a name and folds itself is taken as it is, email.policy.EmailPolicy

    def fold(self, *, policy: Policy) -> str:
        """The header as it is sent; all of it encoded where the reader would take a part of it for an encoded word."""
        is_plain = self.isascii() and self.isprintable() and "=?" not in self and len(self) < LONGEST_PLAIN
        text = Header(str(self), "us-ascii" if is_plain else "utf-8", header_name=self.name)
        return f"{self.name}: {text.encode(linesep=policy.linesep)}{policy.linesep}"


def _answered(who: str, code: int, said: bytes | str) -> Unreachable | Refused:
    """4xx is for later, 5xx for ever (RFC 5321, 4.2.1); a wrong password (535, RFC 4954) can be mended meanwhile."""
    text = f"{who} {code} {safe(said) if isinstance(said, bytes) else one_line(said)}"
    return Refused(text) if code >= 500 and code not in (530, 535) else Unreachable(text)


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone()
