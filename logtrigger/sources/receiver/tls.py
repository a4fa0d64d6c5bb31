"""Syslog over TLS (RFC 5425): our certificate, and who may send by theirs."""

from __future__ import annotations

import os
import re
import socket
import ssl
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logtrigger.addresses import AddressSet
from logtrigger.errors import SourceError
from logtrigger.sources.base import Host
from logtrigger.sources.receiver.addresses import ListenAddress
from logtrigger.sources.receiver.streams import Connection, Limits, StreamListener
from logtrigger.text import safe_text

HANDSHAKE = 10.0  # seconds that it may take
RECORD = 1 << 14  # bytes of a TLS record, at most
OVERHEAD = 256  # bytes that a record counts besides its own: an empty one takes its time, too

# What OpenSSL says (ERR_reason_error_string(3)), and what it means here.
_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it showed no certificate (give the sender one, signed by our 'authority')",
    "WRONG_VERSION_NUMBER": "it does not speak TLS (let it do so, or listen with tcp:)",
    "HTTP_REQUEST": "it does not speak TLS but HTTP",
    "UNSUPPORTED_PROTOCOL": "it speaks only a TLS older than 1.2 (let it use a newer one)",
    "NO_SHARED_CIPHER": "it shares no cipher with us (let it use a newer TLS library)",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know who signed our certificate (give the sender the authority's certificate)",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not like our certificate (does it bear the name that the sender asks for?)",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that our certificate has expired (renew it)",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """The files that say who we are, and who the senders are."""

    certificate: Path | None
    key: Path | None = None  # None: it stands in the certificate's file
    authority: Path | None = None  # certificates of those who sign clients'; None: clients need none
    peer_names: tuple[str, ...] = ()  # that a client's certificate may bear; empty: any

    def context(self, name: str) -> ssl.SSLContext:
        """What TLS is spoken with, made of the files as they are now. Raises SourceError."""
        if self.certificate is None:
            raise SourceError(f"{name}: tls: needs 'certificate' and 'certificate_key' (name their files)")
        if self.peer_names and self.authority is None:
            raise SourceError(
                f"{name}: 'peer_name' needs 'authority' (name the file of those who sign the senders' certificates)"
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.num_tickets = 0  # senders stay connected
        _load_own(context, name, self.certificate, self.key or self.certificate)
        if self.authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            _load_authority(context, name, self.authority)
        return context

    def against(self, certificate: Mapping[str, Any] | None) -> str:
        """What speaks against a client with this certificate, as `getpeercert` tells it; nothing, where it is welcome."""
        if not self.peer_names:
            return ""
        names = list(names_of(certificate or {}))
        if any(_fits(name, wanted) for name in names for wanted in self.peer_names):
            return ""
        return f"its certificate is for {safe_text(', '.join(names)) or 'nobody'}, which 'peer_name' does not name"


class TlsConnection(Connection):
    """A connection that begins with a handshake, for which there is little time."""

    def __init__(self, listener: StreamListener, sock: ssl.SSLSocket, peer: str, credentials: Credentials) -> None:
        super().__init__(listener, sock, peer)
        self._credentials = credentials
        self._spoken = self._shaken = False
        self._late: OSError | None = None  # what went wrong behind the last that was read
        self._begun = self.heard

    def watch(self) -> None:
        super().watch()
        self._begun = self.heard
        self._listener.host.loop.call_soon(self._read)  # an end that was read before a pause wakes nobody

    def _take(self, sock: socket.socket, most: int) -> bytes | None:
        assert isinstance(sock, ssl.SSLSocket)
        if not self._spoken:
            try:
                first = socket.socket.recv(sock, 1, socket.MSG_PEEK)
            except BlockingIOError:
                return None
            if not first:
                return first  # somebody has only looked whether we are there
            self._spoken = True
        return self._decrypted(sock, most)

    def _decrypted(self, sock: ssl.SSLSocket, most: int) -> bytes | None:
        if self._late is not None:
            raise self._late
        parts, size, ended = list[bytes](), 0, False
        try:
            if not self._shaken:
                self._shake(sock)
            while size < most:
                part = sock.recv(RECORD)  # never less than is decrypted: else what is left would wake nobody
                parts.append(part)
                size += len(part) + OVERHEAD
                if not part:
                    ended = len(parts) > 1
                    break
        except ssl.SSLWantReadError:
            self._listener.host.loop.change(sock.fileno(), self._read, None)
        except ssl.SSLWantWriteError:
            self._listener.host.loop.change(sock.fileno(), None, self._read)
        except OSError as error:
            if not parts:
                raise
            self._late, ended = error, True
        if ended:
            self._listener.host.loop.call_soon(self._read)  # the end, or what went wrong, after what was said before
        return b"".join(parts) if parts else None

    def _shake(self, sock: ssl.SSLSocket) -> None:
        """Raises PermissionError where the client is not welcome."""
        sock.do_handshake()
        if against := self._credentials.against(sock.getpeercert()):
            raise PermissionError(against)
        self._shaken = True

    def look(self, now: float) -> None:
        if self._shaken:
            super().look(now)
        elif now - self._begun >= HANDSHAKE:
            self.close(f"its TLS handshake has not ended in {HANDSHAKE:g} s")

    def _why(self, error: OSError) -> str:
        if isinstance(error, PermissionError) and error.errno is None:
            return str(error)
        if isinstance(error, ssl.SSLEOFError | ConnectionResetError) and self._shaken and not self._frames.unfinished:
            return ""  # many senders just go; what that is called is up to the version of OpenSSL
        if isinstance(error, ssl.SSLError):
            return ("" if self._shaken else "no TLS handshake: ") + reason_of(error)
        return super()._why(error)

    def _part(self, sock: socket.socket) -> None:
        if self._shaken and isinstance(sock, ssl.SSLSocket):
            try:
                sock.unwrap()  # says goodbye (RFC 5425, 4.4); does not wait for the answer
            except (OSError, ValueError):
                pass
        sock.close()


class TlsListener(StreamListener):
    """Accepts connections that speak TLS, version 1.2 or later."""

    def __init__(
        self, host: Host, name: str, address: ListenAddress, allow: AddressSet, limits: Limits, credentials: Credentials
    ) -> None:
        super().__init__(host, name, address, allow, limits)
        self._credentials = credentials
        self._context: ssl.SSLContext | None = None

    def open(self) -> None:
        """Raises SourceError where the certificate or the address is of no use."""
        self.reload()
        super().open()

    @property
    def patience(self) -> float:
        return min(HANDSHAKE, super().patience)

    def reload(self) -> None:
        """Read the certificates again, for connections to come. Raises SourceError; the former ones stay in use then."""
        self._context = self._credentials.context(self.name)

    def _connect(self, sock: socket.socket, peer: str) -> Connection:
        assert self._context is not None
        wrapped = self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False)
        return TlsConnection(self, wrapped, peer, self._credentials)


def names_of(certificate: Mapping[str, Any]) -> Iterator[str]:
    """Whom a certificate is for: the DNS names and addresses it bears, or else its common name (RFC 5425, 5.2).

    >>> list(names_of({"subject": ((("commonName", "a"),),), "subjectAltName": (("DNS", "b.example"),)}))
    ['b.example']
    """
    others = [text for kind, text in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    subject = [text for part in certificate.get("subject", ()) for kind, text in part if kind == "commonName"]
    yield from others or subject


def _fits(name: str, wanted: str) -> bool:
    """Whether a name is the wanted one, where `*` stands for one part of it: never for a dot."""
    expression = "[^.]+".join(map(re.escape, wanted.lower().split("*")))
    return re.fullmatch(expression, name.lower()) is not None


def reason_of(error: ssl.SSLError) -> str:
    """What OpenSSL complains of, with the way out where there is one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate was not accepted: {error.verify_message} (give the sender one that our 'authority' signed)"
    if isinstance(error, ssl.SSLEOFError):
        return "it broke off"
    reason = error.reason or str(error)
    return _REASONS.get(reason) or reason.lower().replace("_", " ")


def _load_own(context: ssl.SSLContext, name: str, certificate: Path, key: Path) -> None:
    _check_file(name, certificate)
    _check_file(name, key, secret=True)

    def no_password() -> str:
        raise SourceError(f"{name}: {key} asks for a password (store it without one: openssl pkey -in {key} -out NEW)")

    try:
        context.load_cert_chain(certificate, key, no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            fault = f"{key} is not the key of {certificate}"
        else:
            fault = f"{certificate} and {key} are no certificate and its key in PEM form: {reason_of(error)}"
        ways = f"openssl x509 -noout -pubkey -in {certificate}; openssl pkey -pubout -in {key}"
        raise SourceError(f"{name}: {fault} (these must print the same: {ways})") from error


def _load_authority(context: ssl.SSLContext, name: str, authority: Path) -> None:
    _check_file(name, authority)
    try:
        context.load_verify_locations(authority)
    except ssl.SSLError as error:
        raise SourceError(
            f"{name}: {authority} holds no certificates in PEM form: {reason_of(error)}"
            f" (look at it: openssl x509 -noout -text -in {authority})"
        ) from error


def _check_file(name: str, path: Path, *, secret: bool = False) -> None:
    """Raises SourceError where others could have written the file, or could read what is secret."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
    except OSError as error:
        raise SourceError(f"{name}: {path} cannot be read: {error.strerror} (correct the path, or run as root)") from error
    if status.st_uid not in (0, os.geteuid()):
        raise SourceError(f"{name}: {path} belongs to user {status.st_uid} (chown root {path})")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SourceError(f"{name}: {path} can be written by others (chmod go-w {path})")
    if secret and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SourceError(f"{name}: the key {path} can be read by others (chmod 600 {path})")
