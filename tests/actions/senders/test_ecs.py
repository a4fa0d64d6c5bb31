"""Documents of triggers' lines: in a file, and in a server that fails, hangs and takes some of them only."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from logtrigger.actions import outbox
from logtrigger.actions.base import Result
from logtrigger.actions.outbox import Outbox
from logtrigger.actions.senders import http
from logtrigger.actions.senders.base import Partly, Refused, Secret, Unreachable
from logtrigger.actions.senders.ecs import Documents, EcsFile, Elasticsearch, api_key, password
from logtrigger.config.ecs import with_shipped
from logtrigger.config.words import Report
from logtrigger.ecs.mapping import Mapping
from logtrigger.logfiles import Template as PathTemplate
from logtrigger.loop import Loop
from logtrigger.model import Trigger
from tests.actions.senders.conftest import WebServer
from tests.sources.host import until

MakeTrigger = Callable[..., Trigger]
Answer = Callable[[list[dict[str, Any]]], object]  # of the actions of a request -> status of each, or of all


@pytest.fixture(scope="module")
def documents() -> Documents:
    return Documents(with_shipped(Mapping(()), Report()))


@dataclass(slots=True)
class Bulk:
    """A receiver of `_bulk` that keeps what it created, and answers as it is told."""

    url: str = ""
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)  # in the order in which they were created
    requests: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    faults: list[Callable[[int], int] | int | str] = field(default_factory=list)  # of the next requests; see `answer`
    reason: str = ""  # of what it does not take
    over: threading.Event = field(default_factory=threading.Event)  # until then what hangs does

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """A fault is a status for the whole request, statuses by number of the document, or what happens after all was kept."""
        self.requests += 1
        fault = self.faults.pop(0) if self.faults else 0
        if isinstance(fault, int) and fault:
            return fault, b"{}"
        lines = [json.loads(line) for line in body.splitlines()]
        items = []
        for number, (action, document) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
            name = action["create"]["_id"]
            status = fault(number) if callable(fault) else 0
            if status == 400 and name in self.kept:
                status = 0  # what it took once it finds no fault with
            status = status or (409 if name in self.kept else 201)
            if status == 201:
                self.kept[name] = document
            items.append({"create": {"_id": name, "status": status}})
            if status >= 300:
                items[-1]["create"]["error"] = {"type": "some_exception", "reason": self.reason or f"number {number}"}
        if fault == "hang":
            self.over.wait()
        if fault == "nonsense":
            return 200, b"<html>"
        return 200, json.dumps({"errors": True, "items": items[:-1] if fault == "short" else items}).encode()

    @property
    def messages(self) -> list[str]:
        return [document["message"] for document in self.kept.values()]


@pytest.fixture
def bulk() -> Iterator[Bulk]:
    told = Bulk()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/_bulk"
            told.headers = dict(self.headers)
            status, text = told.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Whoever waited for an answer has gone."""

    server = Server(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield told
    told.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


# Into a file


def test_a_document_a_line_in_a_file_that_may_be_rotated(
    tmp_path: Path, make_trigger: MakeTrigger, documents: Documents
) -> None:
    log = EcsFile(PathTemplate(f"{tmp_path}/{{name}}.ndjson", None), documents)
    log.send([make_trigger(message="Jul 14 02:40:00 gate sshd[77]: Failed password for root from 1.2.3.4 port 9 ssh2")])
    (tmp_path / "sshd.ndjson").rename(tmp_path / "sshd.ndjson.1")
    log.send([make_trigger(2, message='no \\ "header"')])
    log.close()
    first = json.loads((tmp_path / "sshd.ndjson.1").read_text())
    assert (first["source"]["ip"], first["user"]["name"], first["event"]["outcome"]) == ("1.2.3.4", "root", "failure")
    second = json.loads((tmp_path / "sshd.ndjson").read_text())
    assert second == {"@timestamp": "2017-07-14T02:40:00.750Z", "message": 'no \\ "header"'}


def test_the_year_is_the_trigger_s(make_trigger: MakeTrigger, documents: Documents) -> None:
    """Lines of December that are read in January, and the other way round."""
    line = "Dec 31 23:59:00 gate sshd[77]: hello"
    for at, year in ((1_500_000_000.0, "2016"), (1_800_000_000.0, "2026")):
        assert json.loads(documents.of(make_trigger(message=line, time=at)))["@timestamp"].startswith(year)


# To a server


def many(make_trigger: MakeTrigger, count: int) -> list[Trigger]:
    return [make_trigger(number, message=f"line {number}") for number in range(count)]


def test_a_batch_is_one_request(bulk: Bulk, make_trigger: MakeTrigger, documents: Documents) -> None:
    sender = Elasticsearch(f"{bulk.url}/", "logs-x-default", documents)
    assert sender.send(many(make_trigger, 5)) == "5 taken"
    assert bulk.messages == [f"line {number}" for number in range(5)]
    assert bulk.requests == 1 and bulk.headers["Content-Type"] == "application/x-ndjson"
    assert all(document["@timestamp"] == "2017-07-14T02:40:00.750Z" for document in bulk.kept.values())


def test_what_was_taken_is_not_sent_again(bulk: Bulk, make_trigger: MakeTrigger, documents: Documents) -> None:
    bulk.faults = [lambda number: 429 if number in (1, 3) else 0]
    sender, triggers = Elasticsearch(bulk.url, "x", documents), many(make_trigger, 5)
    with pytest.raises(Unreachable, match="HTTP 429 some_exception: number 1"):
        sender.send(triggers)
    seen: list[int] = []
    bulk.faults = [lambda number: seen.append(number) or 0]  # type: ignore[func-returns-value]
    assert sender.send(triggers) == "5 taken"
    assert seen == [0, 1]
    assert bulk.messages == ["line 0", "line 2", "line 4", "line 1", "line 3"]


def test_what_is_refused_is_given_up_by_itself(bulk: Bulk, make_trigger: MakeTrigger, documents: Documents) -> None:
    bulk.faults = [lambda number: {1: 400, 2: 503}.get(number, 0)]
    sender, triggers = Elasticsearch(bulk.url, "x", documents), many(make_trigger, 4)
    with pytest.raises(Unreachable):
        sender.send(triggers)
    with pytest.raises(Partly) as raised:
        sender.send(triggers)
    assert raised.value.refused == {triggers[1].id: "HTTP 400 some_exception: number 1"}
    assert bulk.messages == ["line 0", "line 3", "line 2"]
    assert sender.send(many(make_trigger, 6)[4:]) == "2 taken"


def test_a_request_that_is_refused(bulk: Bulk, make_trigger: MakeTrigger, documents: Documents) -> None:
    bulk.faults = [400]
    with pytest.raises(Refused, match="answers 400"):
        Elasticsearch(bulk.url, "x", documents).send(many(make_trigger, 2))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (503, "answers 503"),
        ("nonsense", "none of Elasticsearch's bulk API"),
        ("short", "tells of 1 documents, and 2 were sent"),
    ],
)
def test_an_answer_that_says_nothing_is_asked_for_again(
    bulk: Bulk, make_trigger: MakeTrigger, documents: Documents, fault: int | str, said: str
) -> None:
    bulk.faults = [fault]
    sender, triggers = Elasticsearch(bulk.url, "x", documents), many(make_trigger, 2)
    with pytest.raises(Unreachable, match=said):
        sender.send(triggers)
    assert sender.send(triggers) == "2 taken"
    assert bulk.messages == ["line 0", "line 1"]


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b"null",
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"items": 5}',
        b'{"items": [5]}',
        b'{"items": [{}]}',
        b'{"items": [{"create": {}}]}',
        b'{"items": [{"create": []}]}',
        *(
            b'{"items": [{"create": {"status": %b}}]}' % status
            for status in (b"1e999", b"NaN", b"null", b"true", b"0", b"-1", b"302", b"9" * 5000)
        ),
    ],
)
def test_other_answers(web: WebServer, make_trigger: MakeTrigger, documents: Documents, text: bytes) -> None:
    """None of them says what became of a document: it is sent again."""
    web.answers = [(200, text)]
    with pytest.raises(Unreachable, match="none of Elasticsearch's bulk API"):
        Elasticsearch(web.url, "x", documents).send(many(make_trigger, 1))


def test_a_huge_answer_is_not_read_to_its_end(web: WebServer, make_trigger: MakeTrigger, documents: Documents) -> None:
    """As JSON it would take hundreds of megabytes."""
    web.answers = [(200, b'{"items": [' + b"[]," * 4_000_000 + b"{}]}")]
    sender, triggers = Elasticsearch(web.url, "x", documents), many(make_trigger, 1)
    tracemalloc.start()
    try:
        with pytest.raises(Unreachable, match="none of Elasticsearch's bulk API"):
            sender.send(triggers)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20  # the server's twelve are among them
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("status", [400, 429])
def test_long_reasons_fit(bulk: Bulk, make_trigger: MakeTrigger, documents: Documents, status: int) -> None:
    """What a server says of each document may be long; what is shown of it is not."""
    bulk.faults, bulk.reason = [lambda number: status], "x\x1b[2J" * 1000
    with pytest.raises(Partly if status == 400 else Unreachable) as raised:
        Elasticsearch(bulk.url, "x", documents).send(many(make_trigger, 500))
    if isinstance(raised.value, Partly):
        assert {len(why) <= 200 and "\x1b" not in why for why in raised.value.refused.values()} == {True}
    else:
        assert len(str(raised.value)) < 300


def test_long_documents_go_in_several_requests(
    bulk: Bulk, make_trigger: MakeTrigger, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logtrigger.actions.senders.ecs._MOST_BYTES", 100)
    sender, triggers = Elasticsearch(bulk.url, "x", documents), many(make_trigger, 5)
    bulk.faults = [0, 0, 413]
    with pytest.raises(Partly) as raised:
        sender.send(triggers)
    assert bulk.messages == ["line 0", "line 1"]
    assert raised.value.refused.keys() == {trigger.id for trigger in triggers[2:]}


def test_who_asks(bulk: Bulk, make_trigger: MakeTrigger, documents: Documents, make_secret: Callable[[str], Path]) -> None:
    secret = Secret(make_secret("s3cret"))
    Elasticsearch(bulk.url, "x", documents, api_key(secret)).send(many(make_trigger, 1))
    assert bulk.headers["Authorization"] == "ApiKey s3cret"
    Elasticsearch(bulk.url, "x", documents, password("bob", secret)).send(many(make_trigger, 1))
    assert bulk.headers["Authorization"] == "Basic Ym9iOnMzY3JldA=="


def test_each_once_and_in_order_whatever_goes_wrong(
    bulk: Bulk, make_trigger: MakeTrigger, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through an outbox: the server is down, answers later than anybody waits, takes some, refuses one, talks nonsense."""
    monkeypatch.setattr(outbox, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(outbox, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(http, "TIMEOUT", 0.3)
    bulk.faults = [503, "hang", 429, "nonsense", lambda number: 429 if number % 3 else 0, "hang", 500, lambda number: 429]
    triggers, results = many(make_trigger, 200), dict[str, Result | None]()
    bulk.faults.append(lambda number: 400 if number == 0 else 0)
    loop = Loop()
    box = Outbox(
        "ecs", Elasticsearch(bulk.url, "x", documents, most=50), loop, lambda level, text: None, lambda: triggers[0].time
    )
    for trigger in triggers:
        box.start(trigger, partial(results.__setitem__, trigger.id))
    until(loop, lambda: len(results) == 200)
    assert not bulk.faults
    given_up = [trigger for trigger in triggers if not (result := results[trigger.id]) or not result.ok]
    assert len(given_up) <= 1 and box.health.given_up == len(given_up) and box.health.sent == 200 - len(given_up)
    assert sorted(bulk.messages) == sorted({t.message for t in triggers} - {t.message for t in given_up})
    box.close()
    loop.close()


def test_in_order_where_whole_requests_fail(
    bulk: Bulk, make_trigger: MakeTrigger, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TIMEOUT", 0.3)
    sender, triggers = Elasticsearch(bulk.url, "x", documents), many(make_trigger, 40)
    for batch in (triggers[:20], triggers[20:]):
        bulk.faults = [503, "hang", "nonsense"]
        for _ in range(3):
            with pytest.raises(Unreachable):
                sender.send(batch)
        sender.send(batch)
    assert bulk.messages == [trigger.message for trigger in triggers]


def test_names_do_not_depend_on_the_process(make_trigger: MakeTrigger, bulk: Bulk, documents: Documents) -> None:
    """After a restart the same trigger's document is the same: what is there already is taken for sent."""
    Elasticsearch(bulk.url, "x", documents).send(many(make_trigger, 3))
    assert Elasticsearch(bulk.url, "x", documents).send(many(make_trigger, 3)) == "3 taken"
    assert len(bulk.kept) == 3
