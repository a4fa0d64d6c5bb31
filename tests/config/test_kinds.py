"""What each kind of option takes, and what it says of anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from logtrigger.config import kinds
from logtrigger.config.kinds import Kind
from logtrigger.config.uci import Value
from logtrigger.errors import Place


def read(kind: Kind, text: str) -> Any:
    return kind.read(Value(text, Place("/etc/logtrigger/rules.conf", 1)))


@pytest.mark.parametrize(
    ("kind", "text", "meant"),
    [
        (kinds.DURATION, "600", 600.0),
        (kinds.DURATION, "90s", 90.0),
        (kinds.DURATION, "10m", 600.0),
        (kinds.DURATION, "1h", 3600.0),
        (kinds.DURATION, "1d", 86400.0),
        (kinds.DURATION_OR_NONE, "0", 0.0),
        (kinds.COUNT, "5", 5),
        (kinds.WEIGHT, "0", 0),
        (kinds.SIZE, "4096", 4096),
        (kinds.SIZE, "64K", 65536),
        (kinds.SIZE, "2m", 2097152),
        (kinds.FLAG, "1", True),
        (kinds.FLAG, "yes", True),
        (kinds.FLAG, "off", False),
        (kinds.RULE_NAME, "SIP_WrongPass", "SIP_WrongPass"),
        (kinds.RULE_NAME, "väärä sana: sshd.1@home", "väärä sana: sshd.1@home"),
        (kinds.WORDS, "user  ip", ("user", "ip")),
        (kinds.FILE, "/var/log/*.log", "/var/log/*.log"),
        (kinds.PATH, "/bin/true", Path("/bin/true")),
        (kinds.PATH, "ban.sh", Path("/etc/logtrigger/ban.sh")),
        (kinds.PATH, "../ban.sh", Path("/etc/ban.sh")),
        (kinds.ADDRESSES, "192.0.2.1 2001:db8::/32", ("192.0.2.1", "2001:db8::/32")),
        (kinds.LOOPBACK, "9273", ("127.0.0.1", 9273)),
        (kinds.LOOPBACK, "localhost:9273", ("127.0.0.1", 9273)),
        (kinds.LOOPBACK, "[::1]:9273", ("::1", 9273)),
        (kinds.VARIABLES, "A_1=b=c d", (("A_1", "b=c d"),)),
        (kinds.VARIABLES, "EMPTY=", (("EMPTY", ""),)),
        (kinds.VARIABLES, "PATHS=x", (("PATHS", "x"),)),
    ],
)
def test_good_value(kind: Kind, text: str, meant: Any) -> None:
    assert read(kind, text) == meant


PLACE = "127.0.0.1:9273"
TIME = "write a time such as 90s, 10m or 2h"
COUNT = "write a whole number from 1 to 999999999"
NAME = "write letters, digits, any of _ . : @ - and single blanks between them"
TAKEN = "ENV, IFS, PATH, LD_…, BASH_…, PYTHON…, PERL… and LT_… are not for a configuration to set; choose another name"


@pytest.mark.parametrize(
    ("kind", "text", "remedy"),
    [
        (kinds.DURATION, "0", "write a time above 0, such as 90s, 10m or 2h"),
        (kinds.DURATION, "0m", "write a time above 0, such as 90s, 10m or 2h"),
        *((kinds.DURATION, text, TIME) for text in ("-5", "ten", "10 m", "1h30m", "1.5h", "٣", "9" * 400, "")),
        (kinds.DURATION_OR_NONE, "-1", TIME),
        *((kinds.COUNT, text, COUNT) for text in ("0", "-1", "+1", "1.0", "many", "1_000", "٣", "9" * 5000)),
        (kinds.WEIGHT, "-1", "write a whole number from 0 to 999999999"),
        *((kinds.SIZE, text, "write a number of bytes such as 4096, 64K or 1M") for text in ("0", "1G", "-1", "1 K")),
        (kinds.FLAG, "2", "write 1 or 0"),
        (kinds.FLAG, "True", "write 1 or 0"),
        *((kinds.RULE_NAME, text, NAME) for text in ("a  b", " a", "a*", "a\n", "a;b", "a\tb", "a/b")),
        (kinds.RULE_NAME, "x" * 101, "write at most 100 characters"),
        (kinds.FILE, "log/messages", "write a path that begins with /"),
        (kinds.ADDRESSES, "example.org", "write one such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32"),
        (kinds.ADDRESSES, "10.0.0.1/8", "write 10.0.0.0/8"),
        (
            kinds.LOOPBACK,
            "192.0.2.7:9273",
            f"write a loopback address, such as {PLACE}: anybody else is to come through a proxy or a tunnel",
        ),
        (kinds.LOOPBACK, "gate:9273", f"write an address of this machine and a port, such as {PLACE}"),
        (kinds.LOOPBACK, "127.0.0.1:0", "write a port from 1 to 65535"),
        (kinds.LOOPBACK, "127.0.0.1", "write a port from 1 to 65535"),
        *((kinds.VARIABLES, text, "write one such as 'MAILTO=root'") for text in ("MAILTO", "1A=x", "=x", "A B=x")),
        *(
            (kinds.VARIABLES, f"{name}=x", TAKEN)
            for name in ("PATH", "IFS", "ENV", "LD_PRELOAD", "BASH_ENV", "PYTHONPATH", "PERL5LIB", "LT_ip")
        ),
    ],
)
def test_bad_value(kind: Kind, text: str, remedy: str) -> None:
    with pytest.raises(ValueError) as caught:
        read(kind, text)
    assert str(caught.value) == remedy
