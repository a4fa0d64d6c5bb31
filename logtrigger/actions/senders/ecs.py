"""Documents of the Elastic Common Schema, of the lines that triggers are about: into a file, or to Elasticsearch."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from logtrigger.actions.senders.base import Partly, Refused, Secret, Unreachable
from logtrigger.actions.senders.http import LATER, LONGEST_ANSWER, Http
from logtrigger.actions.senders.log import LogFile
from logtrigger.digests import blake2b
from logtrigger.ecs.heads import in_utc
from logtrigger.ecs.mapping import Mapping
from logtrigger.ecs.normaliser import Normaliser
from logtrigger.logfiles.names import Template as PathTemplate
from logtrigger.model import Trigger
from logtrigger.places import Look, nowhere
from logtrigger.text import safe_text

_MOST_BYTES = 8 << 20  # of one request, about; Elasticsearch's own advice is 5 to 15 MB
_TAKEN_BEFORE = 409  # a document of this name is there: an earlier request arrived, and its answer did not
_SHOWN = 200  # characters of an answer
# Bytes of an answer: what it says of one document at most, and of them all. Read as JSON it takes many times as much memory.
_OF_ONE, _OF_ALL = 1 << 14, 1 << 16


class Documents:
    """Makes the document of a trigger's line.

    Args:
        mapping: the datasets.
        look: where an address is.
    """

    def __init__(self, mapping: Mapping, look: Look = nowhere) -> None:
        self._mapping, self._look = mapping, look
        self._normaliser: Normaliser | None = None
        self._day = 0.0

    def of(self, trigger: Trigger) -> str:
        """The document; its time is the trigger's where the line says none."""
        day = trigger.time // 86_400
        if self._normaliser is None or day != self._day:  # the year of times that leave it out depends on the day
            self._normaliser, self._day = Normaliser(self._mapping, trigger.time, self._look), day
        return self._normaliser.document(trigger.message.encode("utf-8", "replace"), in_utc(trigger.time, exact=True)) or "{}"


class EcsFile(LogFile):
    """Appends documents to the file that a path's fields name, one a line; after a rotation to the new one."""

    def __init__(self, path: PathTemplate, documents: Documents) -> None:
        super().__init__(path)
        self._documents = documents

    def line(self, trigger: Trigger) -> str:
        return self._documents.of(trigger)


class Elasticsearch:
    """Sends documents to the bulk API: https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk.

    Each document bears a name that follows from its trigger's, and is created under it, so that whatever arrives twice is there
    once. Of a request of which only some were taken, the others are sent again or given up, as their status says.

    Args:
        url: of the server; the path is added.
        index: the index or data stream.
        documents: makes them.
        authorisation: what the header Authorization says; None: nothing.
        authority: certificates that the server's must be signed by; None: those of the system.
        most: how many documents go at once.
    """

    def __init__(
        self,
        url: str,
        index: str,
        documents: Documents,
        authorisation: Callable[[], str] | None = None,
        authority: Path | None = None,
        most: int = 500,
    ) -> None:
        self.most = most
        self._http = Http(url.rstrip("/"), {"Content-Type": "application/x-ndjson"}, authority)
        self._index, self._documents, self._authorisation = index, documents, authorisation
        self._settled: dict[str, str] = {}  # of the batch that is being tried: trigger -> why it was refused; "": it was taken

    def send(self, triggers: Sequence[Trigger]) -> str:
        waiting = [trigger for trigger in triggers if trigger.id not in self._settled]
        while waiting:
            try:
                self._send_some(waiting)
            except Refused as error:
                if not self._settled:
                    raise
                self._settled |= {trigger.id: str(error) for trigger in waiting}  # and others were taken before
            waiting = [trigger for trigger in waiting if trigger.id not in self._settled]
        refused = {one.id: why for one in triggers if (why := self._settled[one.id])}
        self._settled.clear()
        if refused:
            raise Partly(refused)
        return f"{len(triggers)} taken"

    def close(self) -> None:
        """Nothing is kept open."""

    def _send_some(self, triggers: Sequence[Trigger]) -> None:
        """Send as many as fit a request, and note of each what became of it. Raises Unreachable where some must wait."""
        sent, lines, size = list[Trigger](), list[str](), 0
        for trigger in triggers:
            document = self._documents.of(trigger)
            size += len(document)
            if sent and size > _MOST_BYTES:
                break
            name = blake2b(trigger.id.encode("utf-8", "replace"), digest_size=16).hexdigest()
            lines += [json.dumps({"create": {"_index": self._index, "_id": name}}), document]
            sent.append(trigger)
        body = "".join(f"{line}\n" for line in lines).encode()
        headers = {"Authorization": self._authorisation()} if self._authorisation else {}
        longest = min(_OF_ALL + _OF_ONE * len(sent), LONGEST_ANSWER)
        _, answer = self._http.request(body, path="/_bulk", headers=headers, longest=longest)
        later = ""
        for trigger, (status, why) in zip(sent, self._outcomes(answer, len(sent)), strict=True):
            if status in LATER:
                later = later or why
            else:
                self._settled[trigger.id] = "" if 200 <= status < 300 or status == _TAKEN_BEFORE else why
        if later:
            raise Unreachable(f"{self._http.place}: {later}")

    def _outcomes(self, answer: bytes, count: int) -> list[tuple[int, str]]:
        """Status and reason for each document, in order. Raises Unreachable where the answer does not say."""
        try:
            items = json.loads(answer)["items"]
            found = [_outcome(item) for item in items]
        except (ValueError, OverflowError, KeyError, TypeError, AttributeError, StopIteration, RecursionError):
            raise Unreachable(f"{self._http.place}: its answer is none of Elasticsearch's bulk API") from None
        if len(found) != count:
            raise Unreachable(f"{self._http.place} tells of {len(found)} documents, and {count} were sent")
        return found


def _outcome(item: dict[str, Any]) -> tuple[int, str]:
    """
    >>> _outcome({"create": {"status": 400, "error": {"type": "document_parsing_exception", "reason": "failed to parse"}}})
    (400, 'HTTP 400 document_parsing_exception: failed to parse')
    """
    told = next(iter(item.values()))
    status = int(told["status"])
    if not 200 <= status < 300 and not 400 <= status < 600:
        raise ValueError(f"{status} says nothing of a document")
    error = told.get("error") or {}
    said = f"{error.get('type', '')}: {error.get('reason', '')}" if isinstance(error, dict) else str(error)
    return status, safe_text(f"HTTP {status} {said}"[:_SHOWN])


def api_key(secret: Secret) -> Callable[[], str]:
    """How an API key is shown, in the form in which Elasticsearch hands it out encoded."""
    return lambda: f"ApiKey {secret.read()}"


def password(user: str, secret: Secret) -> Callable[[], str]:
    """How a user's password is shown (RFC 7617)."""
    return lambda: f"Basic {base64.b64encode(f'{user}:{secret.read()}'.encode()).decode()}"
