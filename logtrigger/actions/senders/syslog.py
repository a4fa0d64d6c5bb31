"""Sending on by syslog: RFC 5424 messages over UDP (RFC 5426), TCP (RFC 6587, counted) or TLS (RFC 5425)."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from logtrigger.actions.senders.base import MESSAGE, TIMEOUT, Unreachable, values
from logtrigger.logfiles.forms import FACILITIES, SEVERITIES
from logtrigger.model import Trigger
from logtrigger.templates import Template, unbroken

RESOLVE_EVERY = 60.0  # seconds for which a receiver's address holds, where it cannot be told that it has moved
_LONGEST_DATAGRAM = 2_048  # bytes that every receiver takes whole, RFC 5426, 3.2, says "SHOULD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where the messages go."""

    host: str
    port: int = 514
    transport: str = "udp"  # udp, tcp, tls
    authority: Path | None = None  # certificates that the receiver's must be signed by; None: those of the system
    certificate: Path | None = None  # ours, where the receiver asks for one
    certificate_key: Path | None = None


class Syslog:
    """One message a trigger.

    Args:
        receiver: where to.
        text: of a message.
        facility: as FACILITIES names them.
        severity: as SEVERITIES names them.
        program: what the messages are said to come from.
    """

    most = 1

    def __init__(
        self,
        receiver: Receiver,
        text: Template = MESSAGE,
        facility: str = "daemon",
        severity: str = "notice",
        program: str = "logtrigger",
    ) -> None:
        self._receiver, self._text, self._program = receiver, text, program
        self._pri = FACILITIES.index(facility) * 8 + SEVERITIES.index(severity)
        self._socket: socket.socket | None = None
        self._since = 0.0  # when that was connected, monotonic

    def send(self, triggers: Sequence[Trigger]) -> str:
        for trigger in triggers:
            try:
                self._send(self.message(trigger))
            except OSError as error:
                self.close()
                raise Unreachable(f"{self._place}: {_why(error)}") from None
        return f"sent to {self._place}"

    def message(self, trigger: Trigger) -> bytes:
        """A message of RFC 5424: priority, version, time, host, program, process, message id, structured data, text."""
        from datetime import UTC, datetime

        at = datetime.fromtimestamp(trigger.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        host = _word(trigger.host or socket.gethostname(), 255)
        text = self._text.render(values(trigger), unbroken)
        return f"<{self._pri}>1 {at} {host} {_word(self._program, 48)} - {_word(trigger.rule, 32)} - {text}".encode()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def _place(self) -> str:
        return f"{self._receiver.transport}:{self._receiver.host}:{self._receiver.port}"

    def _send(self, message: bytes) -> None:
        if self._socket is not None and self._is_gone(self._socket):
            self.close()
        if self._socket is None:
            self._socket, self._since = self._connect(), time.monotonic()
        if self._receiver.transport == "udp":
            self._socket.send(message[:_LONGEST_DATAGRAM])
        else:
            self._socket.sendall(b"%d %s" % (len(message), message))

    def _is_gone(self, sock: socket.socket) -> bool:
        """Whether a receiver has closed the connection: what is sent into such a one would be lost without a word."""
        if self._receiver.transport == "udp":
            return time.monotonic() - self._since > RESOLVE_EVERY
        sock.settimeout(0)
        try:
            return not sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        finally:
            sock.settimeout(TIMEOUT)

    def _connect(self) -> socket.socket:
        to = (self._receiver.host, self._receiver.port)
        if self._receiver.transport == "udp":
            return _datagrams(*to)
        sock = socket.create_connection(to, TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(TIMEOUT * 1000))  # else many minutes, tcp(7)
        if self._receiver.transport == "tcp":
            return sock
        context = ssl.create_default_context(cafile=self._receiver.authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._receiver.certificate:
            context.load_cert_chain(self._receiver.certificate, self._receiver.certificate_key)
        return context.wrap_socket(sock, server_hostname=to[0])


def _datagrams(host: str, port: int) -> socket.socket:
    """A socket to the first address of a host that can be reached at all."""
    fault = OSError("has no address")
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)  # noqa: TID251 - a name from the configuration
    for family, kind, _, _, address in found:
        sock = socket.socket(family, kind)
        try:
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            fault = error
    raise fault


def _word(text: str, most: int) -> str:
    """Printable ASCII without blanks, or "-" (RFC 5424, 6)."""
    return "".join(c if "!" <= c <= "~" else "_" for c in text)[:most] or "-"


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    return str(error.strerror or error)
