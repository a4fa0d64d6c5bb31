"""UCI text is read as OpenWrt's uci reads it, and every mistake of a file is named with its line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logtrigger.config import uci
from logtrigger.config.uci import Section, parse, quote
from logtrigger.config.words import Report


def read(text: str | bytes) -> tuple[list[Section], list[str]]:
    report = Report()
    sections = parse(text.encode() if isinstance(text, str) else text, "f", report)
    return sections, [str(complaint) for complaint in (*report.errors, *report.warnings)]


def value(text: str) -> str:
    """What a word, written as a value, is read as; it must be read without mistakes."""
    sections, complaints = read(f"config rule\n\toption x {text}\n")
    assert complaints == []
    return sections[0].options["x"].values[0].text


def test_sections_options_lists_and_their_places() -> None:
    sections, complaints = read(
        "package logtrigger\n"
        "\n"
        "config rule 'first'  # a comment\n"
        "\toption name 'a'\n"
        "\tlist when 'one'\n"
        "\tlist when 'two'\n"
        "config defaults\n"
    )
    assert complaints == []
    assert [(s.type, s.name, str(s.place)) for s in sections] == [("rule", "first", "f:3"), ("defaults", "", "f:7")]
    assert [(v.text, str(v.place)) for v in sections[0].options["when"].values] == [("one", "f:5"), ("two", "f:6")]
    assert (sections[0].options["when"].is_list, sections[0].options["name"].is_list) == (True, False)


def test_one_letter_forms_and_semicolons() -> None:
    sections, complaints = read("p logtrigger; c rule x; o name a; l when b;l when c")
    assert complaints == []
    assert {name: [v.text for v in option.values] for name, option in sections[0].options.items()} == {
        "name": ["a"],
        "when": ["b", "c"],
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("plain", "plain"),
        ("'single \\d \"quoted\"'", 'single \\d "quoted"'),
        ("\"double 'quoted'\"", "double 'quoted'"),
        (r'"say \"hi\" \\ there"', r'say "hi" \ there'),
        (r"a\ b\'c\;d\#e\\f", r"a b'c;d#e\f"),
        ("'it'\\''s'", "it's"),
        ("a'b c'\"d e\"f", "ab cd ef"),
        ("'# no comment; one word'", "# no comment; one word"),
        ("a#b", "a"),
        ("a;", "a"),
        ("'two\nlines'", "two\nlines"),
        ("joi\\\nned", "joined"),
        ('"joi\\\r\nned"', "joined"),
        ("'kept\\\nbreak'", "kept\\\nbreak"),
        ("'a' # comment 'with quote", "a"),
        ("täst", "täst"),
        ("a\u00a0b", "a\u00a0b"),
    ],
)
def test_quoting(written: str, meant: str) -> None:
    assert value(written) == meant


def test_cr_lf_ends_a_line() -> None:
    sections, complaints = read("config rule\r\n\toption name a\r\n\toption x 'b'\r\n\r\n")
    assert complaints == []
    assert [option.values[0].text for option in sections[0].options.values()] == ["a", "b"]


def test_value_behind_a_text_of_several_lines_knows_its_line() -> None:
    sections, _ = read("config rule\n option a 'one\ntwo\nthree'\n option b 'x'\n")
    assert [str(option.place) for option in sections[0].options.values()] == ["f:2", "f:5"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("option name a", "f:1: error: 'option' before any section (write a line such as: config rule)"),
        ("confg rule", "f:1: error: unknown statement 'confg' (did you mean 'config'?)"),
        ("[rule]", "f:1: error: unknown statement '[rule]' (a line begins with package, config, option or list)"),
        ("config", "f:1: error: 'config' has no section type (write one such as: config rule)"),
        ("package", "f:1: error: 'package' has no name (write: package logtrigger)"),
        ("config rule\noption", "f:2: error: 'option' has no name (write: option NAME 'value')"),
        ("config rule\nlist a", "f:2: error: 'a' has no value (write: list a 'value')"),
        ("config rule\noption a # b", "f:2: error: 'a' has no value (write: option a 'value')"),
        ("config rule\noption a ''", "f:2: error: 'a' has an empty value (write a value or remove the line)"),
        ("config rule\noption a 1\noption a 1", "f:3: error: 'a' is set on line 2 already (keep one of the two)"),
        (
            "config rule\noption a 1\nlist a 1",
            "f:3: error: 'a' is a list here, but an option on line 2 (write: list a 'value' in both places)",
        ),
        (
            "config rule\nlist a 1\noption a 1",
            "f:3: error: 'a' is an option here, but a list on line 2 (write: list a 'value' in both places)",
        ),
        (
            "config rule\noption max-fail 5",
            "f:2: error: illegal name 'max-fail' (a name has letters A-Z and a-z, digits and _ only)",
        ),
        (
            "config rule 'ä'\noption a 1",
            "f:1: error: illegal name 'ä' (a name has letters A-Z and a-z, digits and _ only)",
        ),
        (
            "config rule\noption a b c d",
            "f:2: error: 'c d' stands behind the option (put a value with blanks in quotes)",
        ),
        (
            "config rule a\nconfig rule a",
            "f:2: error: a section is called 'a' on line 1 already (uci would merge the two: choose another name or none)",
        ),
        ("config rule\noption a 'b", "f:2: error: the quote ' is not closed (write ' behind the value)"),
        ('config rule\noption a "b\\"', 'f:2: error: the quote " is not closed (write " behind the value)'),
        (b"config rule\n\noption a 'b\xff'", "f:3: error: byte 0xff is not UTF-8 (save the file as UTF-8)"),
        (b"config rule\noption a 'b\0'", "f:2: error: NUL byte (remove it)"),
        (
            "\ufeffconfig rule",
            "f:1: error: byte order mark (save the file as UTF-8 without one; uci cannot read it)",
        ),
        (
            'config rule\noption a "sshd\\[\\d+"',
            "f:2: warning: a backslash in double quotes is dropped: \\[ is read as [ (use single quotes, which keep it)",
        ),
    ],
)
def test_mistake(text: str | bytes, complaint: str) -> None:
    assert complaint in read(text)[1]


def test_all_mistakes_are_named_and_the_rest_is_read() -> None:
    sections, complaints = read(
        "config rule\n"
        "\toption a 'open\n"  # closes at the next quote, behind which more stands
        "\toption b 'good'\n"
        "\toption c\n"
        "\toption d 'x' y\n"
        "config rule 'b@d'\n"
        "\toption hidden 1\n"
        "config rule\n"
        "\toption e 1\n"
        "\toption f 'never\n"
    )
    assert [complaint.split(":")[1] for complaint in complaints] == ["2", "4", "5", "6", "10"]
    assert [list(section.options) for section in sections] == [["b", "d"], ["e"]]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_quoted_text_is_read_back(text: str) -> None:
    assert value(quote(text)) == text


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str]:
    """Text in a mixture of quotes, and what it stands for."""
    characters = st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"])
    parts = draw(st.lists(st.tuples(st.sampled_from(["single", "double", "plain"]), st.text(characters, min_size=1))))
    word = "''"
    for style, text in parts:
        if style == "single":
            word += quote(text)
        elif style == "double":
            word += '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        else:
            word += "".join("\\" + character for character in text)
    return word, "".join(text for _, text in parts)


@given(written().filter(lambda pair: pair[1] != ""))
def test_mixed_quotes_are_read_back(pair: tuple[str, str]) -> None:
    assert value(pair[0]) == pair[1]


@given(st.binary() | st.text("config option list a'\"\\;#\n ").map(str.encode))
def test_any_bytes_are_sections_or_mistakes(data: bytes) -> None:
    """Nothing makes the reader fail otherwise, and what it says always names a line of the file."""
    report = Report()
    parse(data, "f", report)
    lines = data.count(b"\n") + 1
    assert all(1 <= complaint.place.line <= lines for complaint in report.complaints)


PIECES = ["option", "list", "config", "o", "package", " ", "\t", "\n", "'", '"', "a", "#c", ";", "\\", "a b", "'a b'", "''",
          "é", "\r\n", " 'v'", " option a 'b'\n", "config rule\n", "list a b\n"]  # fmt: skip


@settings(max_examples=500)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_plain_statements_are_read_as_any_other(text: str) -> None:
    """Most lines are read by one expression, which changes nothing but the time."""
    found = []
    for plain in (uci._PLAIN, re.compile("(?!)")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(uci, "_PLAIN", plain)
            report = Report()
            found.append((uci.parse(text.encode(), "rules", report), report.complaints))
    assert found[0] == found[1]
