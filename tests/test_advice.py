"""What would make a pattern match: each advice names the slip and was tried."""

from __future__ import annotations

import pytest

from logtrigger.advice import Writing, advice
from logtrigger.explain import Explainer
from logtrigger.patterns import scanf
from logtrigger.patterns.form import Form

# Pattern, fields, line, the advice.
SLIPS = [
    ("port %d", "", "port 22 ssh2", "a pattern must reach the line's end: with a final %s the line matches"),
    ("failed login of %s", "", "Failed login of x", "capital and small letters differ: give --nocase; then the line matches"),
    (
        "failed from %s",
        "ip",
        "Failed from 192.0.2.7 port 5",
        "capital and small letters differ: give --nocase; then, and with a final %s, it matches",
    ),
    ("from %s", "ip", "from 192.0.2.7:22", "a port stands behind the address: write %s:%d; then the line matches"),
    ("from %s", "ip", "from 2001:db8::7:41002", "a port stands behind the address: write %s:%d; then the line matches"),
    ("from %s at %d", "ip", "from 192.0.2.7, at 5", "',' stands there: write it in the pattern; then the line matches"),
    (
        "from %s at %d",
        "ip",
        "from <192.0.2.7 at 5",
        "'<' stands before the address: write it in the pattern; then the line matches",
    ),
    (
        "from %s port %d",
        "ip",
        "from gate.example port 5",
        "no IP address stands there: a field that takes host names too is ip:host; then the line matches",
    ),
    (
        "from %s port %d",
        "ip",
        "from (none) port 5",
        "no IP address stands there: a field that takes any text is ip:text; then the line matches",
    ),
    (
        '[pid %d] [%s] FAIL LOGIN: Client "%s"',
        "user ip",
        '[pid 4272] [bob] FAIL LOGIN: Client "192.0.2.7"',
        "the address stands in conversion 3: name that one ip (- skips one); then the line matches",
    ),
    ("user %d is gone", "", "user root is gone", "no number stands there: write %s; then the line matches"),
    ("disk 95%used", "", "disk 95%used", "the line has a percent sign there: write %% for it; then the line matches"),
    (
        "user %s is gone",
        "user:word",
        "user john doe is gone",
        "more than fits the type word stands there: leave the type out; then the line matches",
    ),
    ("login failed: %s", "", "login  failed:\tx", "blanks or tabs differ: copy them from the line; then the line matches"),
    (
        "login of '%s' failed by %d",
        "",
        'login of "root" failed by 5',
        "quotes of another kind stand there: copy them from the line; then the line matches",
    ),
    (
        "sent %d pakets to %s",
        "",
        "sent 5 packets to x",
        "the pattern's other parts are all there: compare this text with the line's",
    ),
    ("sent %d bytes", "", "lost 5 parcels", ""),
    (
        "sshd[%d]: gone %s",
        "",
        "root: sshd[7]: gone x",
        "a pattern that begins with a program's tag matches at the line's own tag only, and that is another one",
    ),
]


def given(form: Form, line: str, writing: Writing | None = None) -> str:
    raw = line.encode()
    stop = Explainer(form).explain(raw, 0, len(raw))
    assert stop is not None
    return advice(form, raw, 0, stop, writing or Writing())


@pytest.mark.parametrize(("text", "fields", "line", "wanted"), SLIPS)
def test_slip(text: str, fields: str, line: str, wanted: str) -> None:
    assert given(scanf.compile(text, fields.split()), line) == wanted


def test_what_stands_where_a_message_begins() -> None:
    """A contributor sees what of the header was not taken for one."""
    plain = scanf.compile("(%s) wrong password", [])
    form = Form(plain.text, plain.elements, anchor="message")
    line = b"2026-01-06 17:26:44: (mod_auth.c.850) wrong password"
    stop = Explainer(form).explain(line, 0, len(line))
    assert stop is not None
    assert advice(form, line, 0, stop, Writing()).endswith("and there stands '2026-01-06 17:26:44:'")


def test_writing_of_the_syntax() -> None:
    form = scanf.compile("from %s", ["ip"])
    assert "{}:{:d}" in given(form, "from 192.0.2.7:22", Writing.of("format"))
    assert "final {}" in given(form, "from 192.0.2.7 port 22", Writing.of("format"))


def test_letters_of_no_language_do_no_harm() -> None:
    """A conversion may end in the middle of what is no UTF-8 at all."""
    form = scanf.compile("at %d and %s", [])
    raw = b"at 5\xff\xfe\xc3 and x"
    stop = Explainer(form).explain(raw, 0, len(raw))
    assert stop is not None
    assert isinstance(advice(form, raw, 0, stop, Writing()), str)
