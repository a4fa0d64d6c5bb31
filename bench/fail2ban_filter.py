"""fail2ban's own filter and counters, fed with a log as fast as they can take it. Runs under fail2ban's Python, not ours.

    fail2ban_filter.py FILTER LOG      prints {"matched": LINES, "detections": BANS}

The classes are those of the server; around them is what `Filter.processLineAndAdd` does, with one counter for each expression,
as a jail for each would have, and without jail, threads, database, log and actions. The clock is the log's.
"""

from __future__ import annotations

import configparser
import importlib
import json
import logging
import sys
from typing import Any

MAXFAIL = 5
TIME = 600


def build(path: str) -> Any:
    definition = configparser.ConfigParser(strict=False, comment_prefixes=())
    definition.read(path)
    section = definition["Definition"]
    watch = importlib.import_module("fail2ban.server.filter").Filter(None, useDns="no")
    watch.checkFindTime = False
    watch.setDatePattern(section["datepattern"])
    for expression in section["failregex"].strip().splitlines():
        watch.addFailRegex(expression)
    return watch


def feed(watch: Any, log: str) -> dict[str, int]:
    managers = importlib.import_module("fail2ban.server.failmanager")
    clock = importlib.import_module("fail2ban.server.mytime").MyTime
    ticket = importlib.import_module("fail2ban.server.ticket").FailTicket
    counters = []
    for _ in watch.getFailRegex():
        manager = managers.FailManager()
        manager.setMaxRetry(MAXFAIL)
        manager.setMaxTime(TIME)
        counters.append(manager)
    matched = detections = 0
    swept = now = 0.0
    with open(log, encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            for index, failure_id, now, facts in watch.processLine(line.rstrip("\r\n")):
                matched += 1
                manager = counters[index]
                if manager.addFailure(ticket(failure_id, now, data=facts)) >= MAXFAIL:
                    manager.toBan(failure_id)
                    detections += 1
            if number % 100 == 0 and now - swept > 5:  # as Filter.performSvc
                swept = now
                clock.setTime(now)
                for manager in counters:
                    manager.cleanup(now)
    return {"matched": matched, "detections": detections}


if __name__ == "__main__":
    logging.getLogger("fail2ban").setLevel(logging.CRITICAL)
    print(json.dumps(feed(build(sys.argv[1]), sys.argv[2])))
