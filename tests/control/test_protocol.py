"""Requests are one line of JSON each; what is none is answered with what to write."""

from __future__ import annotations

import json

import pytest

from logtrigger.control.protocol import Refused, Request, line, request


def test_a_request() -> None:
    raw = b'{"version": 1, "command": "unban", "networks": ["192.0.2.7"]}'
    assert request(raw, 1000) == Request("unban", {"networks": ["192.0.2.7"]}, 1000)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", "this is no line of JSON"),
        (b"\xff\xfe", "this is no line of JSON"),
        (b"[" * 100_000, "this is no line of JSON"),
        (b"[]", "this is no JSON object"),
        (b'"status"', "this is no JSON object"),
        (b'{"command": "status"}', "a request without a version is not understood here"),
        (b'{"version": 2, "command": "status"}', "version 2 is not understood here"),
        (b'{"version": true, "command": "status"}', "version True is not understood here"),
        (b'{"version": 1}', "'command' is missing"),
        (b'{"version": 1, "command": 5}', "'command' is missing"),
    ],
)
def test_what_is_no_request(raw: bytes, error: str) -> None:
    with pytest.raises(Refused) as caught:
        request(raw, 0)
    assert caught.value.error == error
    assert '{"version": 1, "command": "status"}' in caught.value.remedy


def test_an_answer_is_one_line_whatever_it_holds() -> None:
    raw = line({"message": "a\nb\u2028c\ud800"})
    assert raw.count(b"\n") == 1
    assert json.loads(raw) == {"message": "a\nb\u2028c\ud800"}
