"""The rule library against the real thing: a daemon, somebody who guesses its passwords, and somebody who may log in.

Each service is started as its package has it, and logs as it does by default; logtrigger is told its name, and nothing else.
"""

from __future__ import annotations

import ftplib
import imaplib
import re
import smtplib
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from tests.certificates import authority, sign
from tests.conftest import find_tool
from tests.e2e.box import BOUND, HASH, PASSWORD, ROOT, Box, box, wait_for
from tests.e2e.test_blocking import dropbear, log_in, sshd
from tests.scripts.netns import GUEST, HOST, PATH, PEER, Namespace, answers, family_of, guest_of, pair

pytestmark = [
    pytest.mark.root,
    pytest.mark.tool("ip", "unshare", "nsenter", "rsyslogd", "nft"),
    pytest.mark.timeout(180),
]
USER = "bob"
# As Debian's rsyslog has it.
RSYSLOG = """\
module(load="imuxsock" SysSock.Name="/dev/log")
module(load="builtin:omfile" Template="RSYSLOG_TraditionalFileFormat")
auth,authpriv.* /var/log/auth.log
*.*;auth,authpriv.none -/var/log/syslog
"""
RULES = """\
config logtrigger
	option state '{files}/state.db'
	option control '{files}/control'
	list use '{name}'

config firewall
	option backend 'nftables'
"""


def write(machine: Box, path: str, text: str) -> None:
    """Put a file into the box, readable by all."""
    draft = machine.files / "draft"
    draft.write_text(text)
    machine.run("install", "-D", "-m", "644", str(draft), path)


def add_user(machine: Box) -> None:
    """An account with the password of root."""
    machine.run("useradd", "--create-home", "--home-dir", f"/run/{USER}", "--shell", "/bin/sh", "--password", HASH, USER)


# --- the services ---


@contextmanager
def vsftpd(machine: Box) -> Iterator[None]:
    """With Debian's configuration; what costs time at each failure is switched off."""
    add_user(machine)
    machine.run("mkdir", "-p", "/run/vsftpd/empty")
    write(machine, "/etc/pam.d/vsftpd", "auth required pam_unix.so nodelay\naccount required pam_unix.so\n")
    options = ("background=NO", "delay_failed_login=0", "delay_successful_login=0")
    with machine.running("vsftpd", "/etc/vsftpd.conf", *(f"-o{option}" for option in options)):
        yield


def by_ftp(host: str, password: str) -> bool:
    """A failure is logged before it is answered: the ban may come between, or before a good-bye."""
    client = ftplib.FTP(timeout=BOUND)
    try:
        client.connect(host)
        client.login(USER, password)
    except (ftplib.error_perm, TimeoutError):
        return False
    finally:
        client.close()
    return True


DOVECOT = """\
base_dir = /run/dovecot
disable_plaintext_auth = no
ssl = no
mail_location = maildir:~/Maildir
auth_failure_delay = 0
passdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
userdb {
  driver = passwd
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""


@contextmanager
def dovecot(machine: Box, more: str = "protocols = imap\n") -> Iterator[None]:
    """It logs by syslog, as ever; what costs time at each failure is switched off."""
    if not machine.run("dovecot", "--version").startswith("2.3."):
        pytest.skip("the configuration of this test is for Dovecot 2.3")
    add_user(machine)
    write(machine, "/etc/dovecot/users", f"{USER}:{{PLAIN}}{PASSWORD}\n")
    write(machine, "/etc/dovecot/dovecot.conf", DOVECOT + more)
    with machine.running("dovecot", "-F"):
        yield


def by_imap(host: str, password: str) -> bool:
    client = imaplib.IMAP4(host, timeout=BOUND)
    try:
        client.login(USER, password)
    except imaplib.IMAP4.error:
        return False
    finally:
        client.logout()
    return True


# Postfix asks Dovecot, as Debian's wiki has it.
SASL = """\
protocols =
service auth {
  unix_listener /run/postfix-auth {
    mode = 0666
  }
}
"""
MAIN_CF = """\
compatibility_level = 3.6
queue_directory = /run/postfix/queue
data_directory = /run/postfix/data
myhostname = mx.example.org
mydestination =
inet_interfaces = all
inet_protocols = all
smtpd_peername_lookup = no
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = /run/postfix-auth
smtpd_tls_security_level = none
smtpd_error_sleep_time = 0
"""
MASTER_CF = """\
submission inet n - n - - smtpd
  -o syslog_name=postfix/submission
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
qmgr unix n - n 300 1 qmgr
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
"""


@contextmanager
def postfix(machine: Box) -> Iterator[None]:
    write(machine, "/etc/postfix/main.cf", MAIN_CF)
    write(machine, "/etc/postfix/master.cf", MASTER_CF)
    machine.run("install", "-d", "/run/postfix", "/run/postfix/queue")
    machine.run("install", "-d", "-o", "postfix", "/run/postfix/data")
    with dovecot(machine, SASL):
        wait_for(lambda: machine.run("sh", "-c", "test ! -S /run/postfix-auth || echo there"), "Dovecot listens to Postfix")
        with machine.running("postfix", "start-fg"):
            yield


def by_smtp(host: str, password: str) -> bool:
    """Exim logs a failure before it answers: the ban may come between."""
    client = smtplib.SMTP(timeout=BOUND)
    try:
        client.connect(host, 587)
        client.ehlo("client.example.org")
        secret = b64encode(f"\0{USER}\0{password}".encode()).decode()
        code, _ = client.docmd("AUTH", f"PLAIN {secret}")
        if code == 235:  # only with a mail do Postfix and Exim tell of the login
            client.docmd("MAIL", "FROM:<bob@example.org>")
            client.docmd("RCPT", "TO:<alice@example.net>")
            client.docmd("DATA")
            client.docmd(".")
        return code == 235
    except smtplib.SMTPServerDisconnected:
        return False
    finally:
        client.close()


NGINX = """\
user www-data;
pid /run/nginx.pid;
events {}
http {
  access_log /var/log/nginx/access.log;
  error_log /var/log/nginx/error.log;
  client_body_temp_path /run/nginx-body;
  server {
    listen 80;
    listen [::]:80;
    root /run/www;
    auth_basic "members";
    auth_basic_user_file /etc/nginx/members;
  }
}
"""


@contextmanager
def nginx(machine: Box) -> Iterator[None]:
    write(machine, "/etc/nginx/nginx.conf", NGINX)
    write(machine, "/etc/nginx/members", f"{USER}:{{PLAIN}}{PASSWORD}\n")
    write(machine, "/run/www/index.html", "inside\n")
    machine.run("mkdir", "/var/log/nginx")
    with machine.running("nginx", "-g", "daemon off;"):
        yield


def by_http(host: str, password: str) -> bool:
    secret = b64encode(f"{USER}:{password}".encode()).decode()
    try:
        with urlopen(Request(f"http://{host}/", headers={"Authorization": f"Basic {secret}"}), timeout=BOUND) as answer:
            return cast(bytes, answer.read()) == b"inside\n"
    except HTTPError as error:
        assert error.code == 401
        return False
    except OSError:  # Apache logs a failure before it answers: the ban may come between
        return False


# Debian's, with what it cannot do in a box left out.
PROFTPD = """\
ServerName "Debian"
ServerType standalone
Port 21
MaxInstances 30
User nobody
Group nogroup
RequireValidShell off
AuthOrder mod_auth_pam.c* mod_auth_unix.c
DelayEngine off
WtmpLog off
PidFile /run/proftpd.pid
ScoreboardFile /run/proftpd.scoreboard
SystemLog /var/log/proftpd/proftpd.log
TransferLog /var/log/proftpd/xferlog
"""


@contextmanager
def proftpd(machine: Box) -> Iterator[None]:
    """What costs time at each failure is switched off."""
    add_user(machine)
    machine.run("mkdir", "-p", "/var/log/proftpd")
    write(machine, "/etc/pam.d/proftpd", "auth required pam_unix.so nodelay\naccount required pam_unix.so\n")
    write(machine, "/etc/proftpd.conf", PROFTPD)
    with machine.running(find_tool("proftpd") or "proftpd", "--nodaemon", "--quiet", "--config", "/etc/proftpd.conf"):
        yield


EXIM = """\
primary_hostname = mx.example.org
exim_path = {program}
spool_directory = /run/exim
log_file_path = /var/log/exim4/%slog
daemon_smtp_ports = 25 : 587
tls_advertise_hosts =
auth_advertise_hosts = *
host_lookup =
rfc1413_query_timeout = 0s
smtp_enforce_sync = true
keep_environment =
acl_smtp_rcpt = accept authenticated = *
begin routers
nowhere:
  driver = manualroute
  route_list = * 127.0.0.1
  transport = nothing
begin transports
nothing:
  driver = appendfile
  file = /dev/null
  user = nobody
begin authenticators
plain_server:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and {{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"""


@contextmanager
def exim(machine: Box) -> Iterator[None]:
    """Its own log, in Debian's place. It names who authenticates when it takes a mail."""
    program = find_tool("exim4") or "exim4"
    if not machine.run("sh", "-c", "getent passwd Debian-exim || true"):
        machine.run("useradd", "--system", "Debian-exim")
    machine.run("install", "-d", "-o", "Debian-exim", "-g", "Debian-exim", "/run/exim", "/var/log/exim4")
    write(machine, "/etc/exim4/exim4.conf", EXIM.format(program=program, user=USER, password=PASSWORD))
    with machine.running(program, "-bdf", "-oP", "/run/exim.pid"):
        yield


APACHE = """\
PidFile /run/apache2.pid
DefaultRuntimeDir /run
Mutex file:/run default
TypesConfig /dev/null
{modules}
User www-data
Group www-data
Listen 80
ErrorLog /var/log/apache2/error.log
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
CustomLog /var/log/apache2/access.log combined
ServerName gate.example.org
DocumentRoot /run/www
<Directory /run/www>
  AuthType Basic
  AuthName "members"
  AuthUserFile /etc/apache2/members
  Require valid-user
</Directory>
"""
APACHE_MODULES = "mpm_event authn_core authn_file authz_core authz_user auth_basic dir mime"


@contextmanager
def apache(machine: Box) -> Iterator[None]:
    modules = (f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in APACHE_MODULES.split())
    write(machine, "/etc/apache2/members", f"{USER}:{HASH}\n")
    write(machine, "/etc/apache2/test.conf", APACHE.format(modules="\n".join(modules)))
    write(machine, "/run/www/index.html", "inside\n")
    machine.run("mkdir", "-p", "/var/log/apache2")
    with machine.running("apache2", "-f", "/etc/apache2/test.conf", "-DFOREGROUND"):
        yield


LIGHTTPD = """\
server.modules = ("mod_auth", "mod_authn_file")
server.document-root = "/run/www"
server.errorlog = "/var/log/lighttpd/error.log"
server.port = 80
server.username = "www-data"
server.groupname = "www-data"
index-file.names = ("index.html")
auth.backend = "plain"
auth.backend.plain.userfile = "/etc/lighttpd/members"
auth.require = ("/" => ("method" => "basic", "realm" => "members", "require" => "valid-user"))
"""


@contextmanager
def lighttpd(machine: Box) -> Iterator[None]:
    write(machine, "/etc/lighttpd/test.conf", LIGHTTPD)
    write(machine, "/etc/lighttpd/members", f"{USER}:{PASSWORD}\n")
    write(machine, "/run/www/index.html", "inside\n")
    machine.run("install", "-d", "-o", "www-data", "/var/log/lighttpd")
    with machine.running("lighttpd", "-D", "-f", "/etc/lighttpd/test.conf"):
        yield


@contextmanager
def mariadb(machine: Box) -> Iterator[None]:
    """Its log goes where Debian's configuration says that an own one would."""
    machine.run("install", "-d", "-o", "mysql", "/run/database", "/var/log/mysql")
    where = ["--no-defaults", "--datadir=/run/database", "--user=mysql"]
    small = ["--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M"]
    machine.run("mariadb-install-db", *where, *small, "--skip-test-db", "--auth-root-authentication-method=socket")
    grant = f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';"
    write(machine, "/etc/mysql/test.sql", grant)
    options = ["--bind-address=*", "--socket=/run/database/socket", "--skip-name-resolve", "--init-file=/etc/mysql/test.sql"]
    log = "--log-error=/var/log/mysql/error.log"
    with machine.running("mariadbd", *where, *small, *options, log, "--pid-file=/run/database/pid"):
        yield


def by_mysql(client: Namespace, password: str, _: Path) -> bool:
    """By the client that comes with it."""
    command = [
        "mariadb",
        "--no-defaults",
        f"--host={HOST[4]}",
        f"--user={USER}",
        f"--password={password}",
        "--execute=SELECT 7",
    ]
    done = subprocess.run(
        client.command(*command), env={"PATH": PATH}, capture_output=True, text=True, timeout=BOUND, check=False
    )
    return done.stdout == "7\n7\n"


@contextmanager
def openvpn(machine: Box) -> Iterator[None]:
    """It asks PAM for passwords and logs by syslog; what costs time at each failure is switched off."""
    try:
        Path("/dev/net/tun").open("r+b", buffering=0).close()
    except OSError as error:
        pytest.skip(f"/dev/net/tun: {error.strerror}")
    add_user(machine)
    write(machine, "/etc/pam.d/openvpn", "auth required pam_unix.so nodelay\naccount required pam_unix.so\n")
    ca = authority(machine.files, "ca")
    server = sign(ca, machine.files, "server")
    machine.run("mkdir", "/dev/net")
    machine.run("mknod", "/dev/net/tun", "c", "10", "200")
    trust = ["--ca", str(ca.certificate), "--cert", str(server.certificate), "--key", str(server.key), "--dh", "none"]
    who = ["--verify-client-cert", "none", "--username-as-common-name", "--plugin", "openvpn-plugin-auth-pam.so", "openvpn"]
    network = ["--dev", "tun", "--server", "10.8.0.0", "255.255.255.0", "--proto", "tcp4-server", "--keepalive", "1", "5"]
    with machine.running("openvpn", "--syslog", "openvpn", "--verb", "3", *network, *trust, *who):
        yield


def by_openvpn(client: Namespace, password: str, files: Path) -> bool:
    """By the client that is the same program; it needs no interface."""
    secret = files / f"{client.name}.secret"
    secret.write_text(f"{USER}\n{password}\n")
    secret.chmod(0o600)
    patience = ["--connect-retry-max", "1", "--connect-timeout", "5", "--hand-window", "5"]
    server = ["--proto", "tcp4-client", "--remote", HOST[4], "1194", "--ca", str(files / "ca.crt")]
    command = ["openvpn", "--client", "--dev", "null", "--ifconfig-noexec", "--route-noexec", *server, *patience]
    process = subprocess.Popen(
        client.command(*command, "--auth-user-pass", str(secret)), env={"PATH": PATH}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        return any("Initialization Sequence Completed" in line for line in process.stdout)  # else it ends by itself
    finally:
        process.terminate()
        process.wait(BOUND)
        process.stdout.close()


Login = Callable[[Namespace, str, Path], bool]


@dataclass(frozen=True, slots=True)
class Service:
    """One of the library's: its daemon, its port, and how somebody in a namespace tries a password.

    He is given the box's folder, where the daemon may have left something for its clients.
    """

    start: Callable[[Box], AbstractContextManager[None]]
    port: int
    login: Login


def socket_client(login: Callable[[str, str], bool]) -> Login:
    return lambda client, password, _: client.call(lambda: login(HOST[4], password))


def by_ssh(client: Namespace, password: str, _: Path) -> bool:
    return log_in(client, 4, password)


SERVICES = [
    pytest.param("sshd", Service(sshd, 22, by_ssh), marks=pytest.mark.tool("sshd", "ssh", "sshpass")),
    pytest.param("dropbear", Service(dropbear, 22, by_ssh), marks=pytest.mark.tool("dropbear", "ssh", "sshpass")),
    pytest.param("vsftpd", Service(vsftpd, 21, socket_client(by_ftp)), marks=pytest.mark.tool("vsftpd")),
    pytest.param("dovecot", Service(dovecot, 143, socket_client(by_imap)), marks=pytest.mark.tool("dovecot")),
    pytest.param("postfix", Service(postfix, 587, socket_client(by_smtp)), marks=pytest.mark.tool("postfix", "dovecot")),
    pytest.param("nginx", Service(nginx, 80, socket_client(by_http)), marks=pytest.mark.tool("nginx")),
    pytest.param("proftpd", Service(proftpd, 21, socket_client(by_ftp)), marks=pytest.mark.tool("proftpd")),
    pytest.param("exim", Service(exim, 587, socket_client(by_smtp)), marks=pytest.mark.tool("exim4")),
    pytest.param("apache", Service(apache, 80, socket_client(by_http)), marks=pytest.mark.tool("apache2")),
    pytest.param("lighttpd", Service(lighttpd, 80, socket_client(by_http)), marks=pytest.mark.tool("lighttpd")),
    pytest.param("mariadb", Service(mariadb, 3306, by_mysql), marks=pytest.mark.tool("mariadbd", "mariadb")),
    pytest.param("openvpn", Service(openvpn, 1194, by_openvpn), marks=pytest.mark.tool("openvpn")),
]


# --- what surrounds them ---


@contextmanager
def system_log(machine: Box) -> Iterator[None]:
    """A syslog daemon on /dev/log that writes where Debian's does."""
    write(machine, "/etc/rsyslog.conf", RSYSLOG)
    machine.run("touch", "/var/log/syslog", "/var/log/auth.log")
    with machine.running("rsyslogd", "-n", "-i", "/run/rsyslogd.pid"):
        wait_for(lambda: machine.run("sh", "-c", "test ! -S /dev/log || echo there"), "rsyslogd opens /dev/log")
        yield


@contextmanager
def logtrigger(machine: Box, name: str) -> Iterator[Callable[[], str]]:
    """The daemon with one service of the library; what it has said so far."""
    configuration = machine.files / "rules"
    configuration.write_text(RULES.format(files=machine.files, name=name))
    configuration.chmod(0o600)
    command = [sys.executable, "-m", "logtrigger", "-c", str(configuration), "-D", "3"]
    with machine.running(*command, env={"PYTHONPATH": str(ROOT)}) as output:
        wait_for(lambda: "ready\n" in output.read_text(), "logtrigger is ready")
        yield output.read_text


def listens(host: Namespace, port: int) -> bool:
    with host.socket(family_of(4)) as client:
        client.settimeout(BOUND)
        return client.connect_ex((HOST[4], port)) == 0


@pytest.mark.parametrize(("name", "service"), SERVICES)
def test_the_attacker_and_nobody_else(tmp_path: Path, name: str, service: Service) -> None:
    """The fifth wrong password is the last; who mistypes once and then logs in does so again, before and after."""
    with pair() as (host, attacker), guest_of(host) as guest, box(host, tmp_path) as machine:
        with system_log(machine), service.start(machine):
            wait_for(lambda: listens(host, service.port), "the service listens")
            with logtrigger(machine, name) as said:
                assert not service.login(guest, "mistyped", machine.files)
                assert service.login(guest, PASSWORD, machine.files)
                wait_for(lambda: seen(said(), name, GUEST[4]), "the guest's failure")
                wait_for(lambda: trusted(said(), name, GUEST[4]), "the guest's login")
                for count in range(1, 6):
                    assert "; banning" not in said()
                    assert not service.login(attacker, "wrong", machine.files)
                    wait_for(partial(has_counted, said, name, count), f"failure {count}")
                wait_for(lambda: f"; banning {PEER[4]} for 1h" in said(), "the ban")
                wait_for(lambda: not answers(attacker, 4, service.port, 0.3), "nobody answers the attacker")
                assert service.login(guest, PASSWORD, machine.files)
                assert said().count("; banning") == 1
                assert bans(machine) == {PEER[4]}


# What nginx, which writes a path into error.log as it came, then has there as a line of its own.
STRANGER = "10.0.0.9"
LINE = f'2026/01/06 17:26:44 [error] 1#1: *1 user "bob": password mismatch, client: {STRANGER}, server: _, request: "GET /"'


@pytest.mark.tool("nginx")
def test_a_line_that_a_path_makes(tmp_path: Path) -> None:
    """Nobody has a stranger banned by asking for a page whose name holds line ends."""
    path = quote(f"x\n{LINE}\ny")
    secret = b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def ask() -> None:
        with pytest.raises(HTTPError, match="404"):
            urlopen(Request(f"http://{HOST[4]}/{path}", headers={"Authorization": f"Basic {secret}"}), timeout=BOUND)

    with pair() as (host, attacker), box(host, tmp_path) as machine:
        with system_log(machine), nginx(machine):
            wait_for(lambda: listens(host, 80), "the service listens")
            with logtrigger(machine, "nginx") as said:
                for _ in range(5):
                    attacker.call(ask)
                wait_for(lambda: machine.run("cat", "/var/log/nginx/error.log").count(f"\n{LINE}\n") == 5, "the lines")
                assert not socket_client(by_http)(attacker, "wrong", machine.files)
                wait_for(lambda: seen(said(), "nginx", PEER[4]) == 1, "the attacker's own failure")
                assert seen(said(), "nginx", STRANGER) == 0


def seen(text: str, name: str, address: str) -> int:
    """How many failures of an address have been counted."""
    return len(re.findall(rf"(?i)event {name}_(?!login|logins)\w+: \d+/5 in 10m of {re.escape(address)}: ", text))


def has_counted(said: Callable[[], str], name: str, count: int) -> bool:
    return seen(said(), name, PEER[4]) == count


def trusted(text: str, name: str, address: str) -> bool:
    """Whether a good login from there has been seen; not each service tells of any."""
    has_rule = f"'{name}_login'" in (ROOT / "etc/logtrigger/rules.d" / f"{name}.conf").read_text()
    return not has_rule or re.search(rf"event {name}_login: .*{re.escape(address)}", text) is not None


def bans(machine: Box) -> set[str]:
    """The addresses that the kernel holds."""
    listed = machine.run("nft", "list", "ruleset")
    return set(re.findall(r"\b(?:192\.0\.2|198\.51\.100)\.\d+\b", listed))
