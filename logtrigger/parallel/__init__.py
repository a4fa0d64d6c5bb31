"""Work on several cores: a replay, and pieces that know nothing of each other.

In a replay rules that count together go to one process, and each process reads all logs.

What a rule finds does not depend on rules it does not count together with, so each process runs its share as if there were no
others, and the triggers are put in order again by log, place and rule. Processes are forked: the configuration and what was
compiled are there at once. Where a log can be read only once, as standard input, it is passed on to all of them.

    shares → processes → worker → frames → replaying        pieces in turn: pool
"""

from __future__ import annotations

from logtrigger.parallel.frames import Once
from logtrigger.parallel.pool import Pool
from logtrigger.parallel.processes import WorkerError
from logtrigger.parallel.replaying import replay

__all__ = ["Once", "Pool", "WorkerError", "replay"]
