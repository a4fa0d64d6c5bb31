"""One HTTP request, and what its answer means for whoever wants to try again."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from logtrigger import __version__
from logtrigger.actions.senders.base import TIMEOUT, Refused, Unreachable
from logtrigger.text import safe_start

# Not the request's fault: RFC 9110 15.5.9 and 15.6, RFC 6585 (429), RFC 8470 (425). And 401: a token that has expired can be
# renewed in its file, which is read each time.
LATER = frozenset({401, 408, 425, 429, *range(500, 600)})
_SHOWN = 200  # bytes of an answer
LONGEST_ANSWER = 16 << 20  # bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET and look as if it had been taken: it is an answer like any other."""

    def redirect_request(self, *args: object) -> None:
        return None


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
        self, body: bytes, method: str = "POST", path: str = "", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of the answer, where it is one of success.

        Raises:
            Unreachable: nobody answers, or the answer is "later".
            Refused: the server will not have it.
        """
        request = urllib.request.Request(
            self._url + path, data=body, method=method, headers={**self._headers, **(headers or {})}
        )
        try:
            with self._open(request) as answer:
                return answer.status, answer.read(LONGEST_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                said = safe_start(error.read(_SHOWN), _SHOWN).strip()
            text = f"{self.place} answers {error.code} {error.reason}" + (f": {said}" if said else "")
            raise (Unreachable if error.code in LATER else Refused)(text) from None
        except urllib.error.URLError as error:
            raise Unreachable(f"{self.place}: {_why(error.reason)}") from None
        except (OSError, ValueError) as error:  # HTTPException is none of them
            raise Unreachable(f"{self.place}: {_why(error)}") from None
        except Exception as error:  # http.client.HTTPException: the far end speaks no HTTP
            raise Unreachable(f"{self.place}: {type(error).__name__} {error}") from None

    def _open(self, request: urllib.request.Request) -> Any:
        if self._opener is None:
            context = ssl.create_default_context(cafile=self._authority)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect())
        return self._opener.open(request, timeout=TIMEOUT)


def _why(reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {reason.verify_message}"
    if isinstance(reason, TimeoutError):
        return f"no answer within {TIMEOUT:.0f} s"
    return str(getattr(reason, "strerror", None) or reason)
