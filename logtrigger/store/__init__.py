"""The only durable state: how far files are read, open windows, triggers, what is still to be done about them, and bans.

thread      the Store: whoever asks, in order, in one thread        values     what it takes and tells
database    one connection to the file: opened, a transaction       schema     its tables and their versions
streams, triggers, bans                                             what stands in the tables, as values
"""

from __future__ import annotations

from logtrigger.store.database import WAY_OUT
from logtrigger.store.thread import Store
from logtrigger.store.triggers import PAGE
from logtrigger.store.values import About, Batch, Done, Recorded, Wanted, WindowRow

__all__ = ["PAGE", "WAY_OUT", "About", "Batch", "Done", "Recorded", "Store", "Wanted", "WindowRow"]
