"""What a program has written to a terminal, as a picture: SVG, text and colours alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_STYLES = {"1": "b", "2": "d", "31": "r", "32": "g"}  # bold, dim, red, green; ECMA-48, 8.3.117
_WIDTH, _HEIGHT, _EDGE = 8, 18, 14  # of a character, of a line, around all

_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">
<title>{title}</title>
<style>
text {{ font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d8dee9; white-space: pre }}
.b {{ font-weight: bold }} .d {{ fill: #8a94a6 }} .r {{ fill: #e06c75 }} .g {{ fill: #98c379 }}
</style>
<rect width="100%" height="100%" rx="6" fill="#1e2127"/>
"""


def picture(text: str, title: str, columns: int) -> str:
    """The SVG of what a terminal of so many columns shows; colours and bold are kept, other controls must not be there."""
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    width, height = columns * _WIDTH + 2 * _EDGE, len(lines) * _HEIGHT + 2 * _EDGE
    drawn = []
    begins: frozenset[str] = frozenset()
    for number, line in enumerate(lines):
        parts = []
        for piece, classes in _pieces(line, begins):
            begins = classes
            style = f' class="{" ".join(sorted(classes))}"' if classes and piece else ""
            parts.append(f"<tspan{style}>{escape(piece)}</tspan>" if style else escape(piece))
        y = _EDGE + (number + 1) * _HEIGHT - 5
        drawn.append(f'<text x="{_EDGE}" y="{y}" xml:space="preserve">{"".join(parts)}</text>\n')
    return _HEAD.format(width=width, height=height, title=escape(title)) + "".join(drawn) + "</svg>\n"


def _pieces(line: str, classes: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """The parts of a line that look alike, and how; the last one, perhaps empty, says how the next line begins."""
    at = 0
    for found in _SGR.finditer(line):
        if found.start() > at:
            yield line[at : found.start()], classes
        at = found.end()
        for code in found[1].split(";"):
            classes = classes | {_STYLES[code]} if code in _STYLES else frozenset()
    yield line[at:], classes
