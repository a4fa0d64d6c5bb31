"""One HTTP request, and what its answer means for whoever wants to try again."""

from __future__ import annotations

import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from logtrigger import __version__
from logtrigger.actions.senders.base import TIMEOUT, Refused, Unreachable
from logtrigger.actions.senders.patience import hear
from logtrigger.text import safe_start

# Not the request's fault: RFC 9110 15.5.9 and 15.6, RFC 6585 (429), RFC 8470 (425). And 401: a token that has expired can be
# renewed in its file, which is read each time.
LATER = frozenset({401, 408, 425, 429, *range(500, 600)})
_SHOWN = 200  # bytes of an answer
LONGEST_ANSWER = 16 << 20  # bytes
_PIECE = 1 << 16  # bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET and look as if it had been taken: it is an answer like any other."""

    def redirect_request(self, *args: object) -> None:
        return None


class _Answer(HTTPResponse):
    """An answer that comes within TIMEOUT, all of it: status, headers and body."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = hear(sock, time.monotonic() + TIMEOUT)


class _Connection(HTTPConnection):
    response_class = _Answer


class _SecureConnection(HTTPSConnection):
    response_class = _Answer


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_Connection, req)


class _Secure(urllib.request.HTTPSHandler):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._trusted = context

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_SecureConnection, req, context=self._trusted)


class Http:
    """Requests to one place.

    Args:
        url: http:// or https://.
        headers: of every request.
        authority: certificates that the server's must be signed by; None: those of the system.
    """

    def __init__(self, url: str, headers: Mapping[str, str], authority: Path | None = None) -> None:
        self._url = url
        self._headers = {"User-Agent": f"logtrigger/{__version__}", **headers}
        self._authority = authority
        self._opener: urllib.request.OpenerDirector | None = None

    @property
    def place(self) -> str:
        """The server, without what may be secret in the URL."""
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")

    def request(
        self,
        body: bytes,
        method: str = "POST",
        path: str = "",
        headers: Mapping[str, str] | None = None,
        longest: int = LONGEST_ANSWER,
    ) -> tuple[int, bytes]:
        """Status and body of the answer, up to `longest` bytes, where it is one of success.

        Raises:
            Unreachable: nobody answers, or the answer is "later".
            Refused: the server will not have it.
        """
        request = urllib.request.Request(
            self._url + path, data=body, method=method, headers={**self._headers, **(headers or {})}
        )
        try:
            with self._open(request) as answer:
                return answer.status, _read(answer, longest)
        except urllib.error.HTTPError as error:
            with error:
                said = _why_not(error)
            text = f"{self.place} answers {error.code} {error.reason}" + (f": {said}" if said else "")
            raise (Unreachable if error.code in LATER else Refused)(text) from None
        except urllib.error.URLError as error:
            raise Unreachable(f"{self.place}: {_why(error.reason)}") from None
        except UnicodeEncodeError:  # of a header, and it would quote what it cannot encode
            raise Unreachable(f"{self.place}: the password or key holds characters that no header can") from None
        except (OSError, ValueError) as error:  # HTTPException is none of them
            raise Unreachable(f"{self.place}: {_why(error)}") from None
        except Exception as error:  # HTTPException: the far end speaks no HTTP. Whatever else it is, it is tried again
            raise Unreachable(f"{self.place}: {type(error).__name__} {error}") from None

    def _open(self, request: urllib.request.Request) -> Any:
        if self._opener is None:
            context = ssl.create_default_context(cafile=self._authority)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            self._opener = urllib.request.build_opener(_Plain(), _Secure(context), _NoRedirect())
        return self._opener.open(request, timeout=TIMEOUT)


def _read(answer: Any, longest: int) -> bytes:
    """Up to so many bytes; raises TimeoutError where they come in too slowly, as from somebody who wants to keep us busy."""
    data = b""
    while len(data) < longest and (piece := answer.read1(min(longest - len(data), _PIECE))):
        data += piece
    return data


def _why_not(error: urllib.error.HTTPError) -> str:
    """What the answer says besides its status, if that comes in at all."""
    try:
        return safe_start(_read(error, _SHOWN), _SHOWN).strip()
    except (OSError, HTTPException):
        return ""


def _why(reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {reason.verify_message}"
    if isinstance(reason, TimeoutError):
        return f"no answer within {TIMEOUT:.0f} s"
    return str(getattr(reason, "strerror", None) or reason)
