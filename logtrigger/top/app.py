"""The screen, over Textual (extra `top`): what it shows is worked out in `figures`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock
from typing import Any, ClassVar

from rich.markup import escape
from rich.text import Text
from textual import events, on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Input, Sparkline, Static

from logtrigger.control.client import Client, Facts, NoDaemon
from logtrigger.control.protocol import No, Refused
from logtrigger.text import safe_text
from logtrigger.top.figures import Figures, Look, rate_text

EVERY = 1.0  # seconds between two looks
_BANS = 50  # that are shown, the newest
_RULES = 200  # that are shown, the busiest
_LINES = 3  # about sources
_BESIDE, _LEAST = 60, 16  # columns that a rule's name leaves to its figures; and that it has even so

RULES = ("RULE", "/S", "EVENTS", "TRIGGERS", "LAST", "KEYS", "DOES")
BANS = ("BANNED", "COUNTRY", "LEFT", "RULE")

Told = Callable[
    [Facts, float], Iterable[tuple[int, str]]
]  # a row about an address, and now -> how far a text is indented, and it


class Asked:
    """The daemon, asked from threads one after the other; found again where it was restarted."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect, self._lock = connect, Lock()
        self._client: Client | None = None

    def rows(self, command: str, **arguments: Any) -> list[Facts]:
        """All rows of an answer. Raises NoDaemon, No, Refused."""
        with self._lock:
            try:
                if self._client is None:
                    self._client = self._connect()
                return list(self._client.ask(command, **arguments))
            except NoDaemon:
                self._close()
                raise

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class Why(ModalScreen[None]):
    """What is known of an address."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,w", "dismiss", "back")]

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__()
        self._lines = lines

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Text("\n".join(self._lines)))
        yield Footer()


class Top(App[None]):
    """Rates, rules, bans, sources and queues of a running daemon, once a second.

    Args:
        connect: a connection to it.
        told: puts into words what it says of an address.
        clock: epoch seconds.
    """

    TITLE = "logtrigger"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    #headline { height: 1; text-style: bold; }
    .rate { height: 1; }
    .rate Static { width: 24; }
    .rate Sparkline { width: 1fr; height: 1; }
    #rules { height: 2fr; }
    #bans { height: 1fr; }
    #sources, #queues { height: auto; max-height: 3; color: $text-muted; }
    #filter { display: none; height: 1; border: none; padding: 0; }
    #filter.shown { display: block; }
    DataTable { scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; }
    Why { align: center middle; }
    Why VerticalScroll { width: 95%; height: 90%; border: solid $accent; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w,enter", "why", "why", priority=False),
        Binding("u", "unban", "unban"),
        Binding("p", "pause", "pause/resume rule"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("escape", "all", "all", show=False),
        Binding("tab", "app.focus_next", "rules/bans"),
        Binding("q", "quit", "quit"),
    ]

    def __init__(
        self,
        connect: Callable[[], Client],
        told: Told,
        clock: Callable[[], float] = time.time,  # noqa: TID251 - the outer shell
    ) -> None:
        super().__init__()
        self._asked, self._told, self._clock = Asked(connect), told, clock
        self.figures = Figures()
        self._wanted = ""
        self._width = 80
        self._shown: dict[str, Sequence[tuple[str, ...]]] = {}  # by table
        self._under_cursor: dict[str, str] = {}  # where the cursor is to go

    def compose(self) -> ComposeResult:
        yield Static("", id="headline")
        for name in ("events", "triggers"):
            with Horizontal(classes="rate"):
                yield Static("", id=f"{name}-rate")
                yield Sparkline([], summary_function=max, id=f"{name}-line")
        yield DataTable(id="rules", cursor_type="row", zebra_stripes=True)
        yield DataTable(id="bans", cursor_type="row", zebra_stripes=True)
        yield Static("", id="sources")
        yield Static("", id="queues")
        yield Input(placeholder="rules and bans with this text", id="filter")
        yield Footer()

    def on_mount(self) -> None:
        for name, heads in (("#rules", RULES), ("#bans", BANS)):
            self.query_one(name, DataTable).add_columns(*heads)
        self.query_one("#rules", DataTable).focus()
        self.look()
        self.set_interval(EVERY, self.look)

    def on_unmount(self) -> None:
        self._asked.close()

    @work(thread=True, exclusive=True, group="look")
    def look(self) -> None:
        """Ask the daemon how it stands, in a thread."""
        try:
            (status,) = self._asked.rows("status")
            look = Look(self._clock(), status, self._asked.rows("rules"), self._asked.rows("bans", most=_BANS))
        except (NoDaemon, No, Refused) as error:
            self.call_from_thread(self._tell, f"trying again: {error}")
            return
        self.call_from_thread(self._show, look)

    def _show(self, look: Look) -> None:
        if not self.is_running:
            return
        figures = self.figures
        figures.take(look)
        self._set("#headline", figures.headline())
        for name, rates in (("events", figures.events), ("triggers", figures.triggers)):
            self._set(f"#{name}-rate", f"{name:<9}{rate_text(rates[-1]) if rates else '-':>6} /s")
            self.query_one(f"#{name}-line", Sparkline).data = list(rates)
        self._show_tables()
        self._set("#sources", "\n".join(figures.sources(_LINES)))
        self._set("#queues", "\n".join(figures.queues()))

    def _show_tables(self) -> None:
        self._fill("#rules", self.figures.rules(self._wanted)[:_RULES])
        self._fill("#bans", self.figures.bans(self._wanted))

    def _fill(self, name: str, rows: Sequence[tuple[str, ...]]) -> None:
        """Show these rows; the cursor stays on what it was on, or where that was."""
        table = self.query_one(name, DataTable)
        if not table.columns or self._shown.get(name) == rows:
            return
        chosen, row_before = self._under_cursor.pop(name, "") or _chosen(table), table.cursor_row
        self._shown[name] = rows
        table.clear()
        for row in rows:
            first = _cut(row[0], max(_LEAST, self._width - _BESIDE)) if name == "#rules" else row[0]
            table.add_row(*(Text(safe_text(cell)) for cell in (first, *row[1:])), key=row[0])
        at = next((index for index, row in enumerate(rows) if row[0] == chosen), min(row_before, len(rows) - 1))
        if rows:
            table.move_cursor(row=at, animate=False)

    def _tell(self, text: str) -> None:
        if self.is_running:
            self._set("#headline", text)

    def _set(self, name: str, text: str) -> None:
        # As text, never as markup: what a far end or a log line says means nothing to the screen.
        shown = Text("\n".join(safe_text(line) for line in text.split("\n")), no_wrap=True, overflow="ellipsis")
        self.query_one(name, Static).update(shown)

    def on_resize(self, event: events.Resize) -> None:
        """Names are cut to what room there is by now, and the columns made anew."""
        self._width = event.size.width
        for name, heads in (("#rules", RULES), ("#bans", BANS)):
            table = self.query_one(name, DataTable)
            chosen = _chosen(table)
            table.clear(columns=True)
            table.add_columns(*heads)
            self._shown.pop(name, None)
            self._under_cursor[name] = chosen
        self._show_tables()

    # Keys

    def _chosen(self, name: str) -> str:
        """What is under the cursor in the table with the focus; where that is another one, it is said."""
        table = self.query_one(name, DataTable)
        if not table.has_focus:
            self.notify(f"Tab goes to the {name[1:]}: this key is for the one under the cursor there")
            return ""
        return _chosen(table)

    def action_unban(self) -> None:
        if network := self._chosen("#bans"):
            self.do(f"{network}: banned no longer", "unban", networks=[network])

    def action_pause(self) -> None:
        if rule := self._chosen("#rules"):
            if self.figures.is_paused(rule):
                self.do(f"{rule}: goes on", "resume", rule=rule)
            else:
                self.do(f"{rule}: paused for an hour", "pause", rule=rule)

    @work(thread=True, group="do")
    def do(self, done: str, command: str, **arguments: Any) -> None:
        """Have the daemon do something, and say how that went."""
        try:
            self._asked.rows(command, **arguments)
            self.call_from_thread(self.notify, escape(done))
        except (NoDaemon, No, Refused) as error:
            self.call_from_thread(self.notify, escape(str(error)), severity="error")
        self.call_from_thread(self.look)

    def action_why(self) -> None:
        if network := _chosen(self.query_one("#bans", DataTable)):
            self.ask_why(network)

    @on(DataTable.RowSelected, "#bans")
    def why_of_row(self) -> None:
        """Enter, on a ban."""
        self.action_why()

    @work(thread=True, group="do")
    def ask_why(self, network: str) -> None:
        """Open what is known of an address."""
        try:
            rows = self._asked.rows("why", network=network)
        except (NoDaemon, No, Refused) as error:
            self.call_from_thread(self.notify, escape(str(error)), severity="error")
            return
        self.call_from_thread(self.push_screen, Why(list(_paragraphs(rows, self._told, self._clock()))))

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.add_class("shown")
        field.focus()

    @on(Input.Changed, "#filter")
    def filter_changed(self, event: Input.Changed) -> None:
        """Show what has this text, while it is typed."""
        self._wanted = event.value
        self._show_tables()

    @on(Input.Submitted, "#filter")
    def filter_entered(self) -> None:
        """The filter stays; back to the tables."""
        self.query_one("#rules", DataTable).focus()

    def action_all(self) -> None:
        field = self.query_one("#filter", Input)
        field.value = ""
        field.remove_class("shown")
        self.query_one("#rules", DataTable).focus()


def _chosen(table: DataTable[Any]) -> str:
    """What the row under the cursor is about; empty where there is none."""
    if not table.row_count:
        return ""
    return str(table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _paragraphs(rows: Sequence[Facts], told: Told, now: float) -> Iterator[str]:
    for row in rows:
        for indent, text in told(row, now):
            yield " " * indent + safe_text(text)
