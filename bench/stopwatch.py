"""Run a command on one core, and say what it took: small, so that a command's peak memory is its own.

    stopwatch.py RESULT CORE STDIN STDOUT STDERR COMMAND...

A process inherits its parent's peak memory (getrusage(2), ru_maxrss), therefore a bare interpreter stands between. CORE is "-"
for any. RESULT gets a JSON object: wall, user and system seconds, maxrss in KiB, and the exit status.
"""

import json
import os
import sys
import time


def main(result: str, core: str, stdin: str, stdout: str, stderr: str, *command: str) -> None:
    if core != "-":
        os.sched_setaffinity(0, {int(core)})
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, stdout, writing, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, stderr, writing, 0o600),
    ]
    begin = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - begin
    facts = {"wall": wall, "user": usage.ru_utime, "system": usage.ru_stime, "maxrss": usage.ru_maxrss}
    with open(result, "w", encoding="ascii") as file:
        json.dump(facts | {"status": os.waitstatus_to_exitcode(status)}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
