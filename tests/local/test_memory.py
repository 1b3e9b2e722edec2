"""What an installation remembers: chosen once, kept private, overruled by the environment."""

import json
import os
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from recsite.local import memory, services


@pytest.fixture(autouse=True)
def _an_environment_that_says_nothing(monkeypatch):
    for name in ("MEDLEY_DATA", "POSTGRES_DB", *memory.PORT_VARIABLES.values()):
        monkeypatch.delenv(name, raising=False)


def test_ports_and_secrets_are_chosen_once(tmp_path):
    first = services.addresses(tmp_path / "data")
    assert services.addresses(tmp_path / "data") == first
    assert services.addresses(tmp_path / "other") != first


def test_four_processes_that_start_at_once_agree(tmp_path, monkeypatch):
    def choose_slowly(avoid, choose=memory.choose_port):
        time.sleep(0.05)
        return choose(avoid)

    monkeypatch.setattr(memory, "choose_port", choose_slowly)
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(services.addresses, [tmp_path / "data"] * 4))
    assert len(found) == 1


def test_the_three_ports_differ_and_lie_below_those_of_outgoing_connections(tmp_path, monkeypatch):
    throws = iter([20_001, 20_001, 20_001, 31_999, 20_001, 20_002])
    monkeypatch.setattr(memory.secrets, "choice", lambda ports: ports[next(throws) - 20_000])
    monkeypatch.setattr(memory, "is_free", lambda port: True)
    kept = memory.remembered(tmp_path)
    ports = [kept[f"{name}_port"] for name in ("postgres", "valkey", "encoder")]
    assert ports == [20_001, 31_999, 20_002]
    assert memory.PORTS.stop <= 32_768


def test_the_addresses_are_loopback_urls_with_passwords(tmp_path, monkeypatch):
    monkeypatch.setenv("POSTGRES_PORT", "5555")
    monkeypatch.setenv("VALKEY_PORT", "6666")
    monkeypatch.setenv("POSTGRES_DB", "films")
    here = services.addresses(tmp_path)
    kept = memory.remembered(tmp_path)
    assert here.database_url == (
        f"postgresql://medley:{kept['postgres_password']}@127.0.0.1:5555/films"
    )
    assert here.redis_url == f"redis://:{kept['valkey_password']}@127.0.0.1:6666/0"
    assert len(here.secret_key) >= 50


def test_a_port_of_the_environment_overrules_and_is_remembered(tmp_path, monkeypatch):
    before = services.addresses(tmp_path)
    monkeypatch.setenv("ENCODER_PORT", "5432")
    assert services.addresses(tmp_path).encoder_port == 5432
    monkeypatch.delenv("ENCODER_PORT")
    after = services.addresses(tmp_path)
    assert after.encoder_port == 5432
    assert after.database_url == before.database_url


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "80.5", "８０"])
def test_a_wrong_port_stops_the_start_and_is_named(tmp_path, monkeypatch, port):
    monkeypatch.setenv("VALKEY_PORT", port)
    with pytest.raises(RuntimeError, match="VALKEY_PORT="):
        services.addresses(tmp_path)


@pytest.mark.parametrize("name", ["a b", "films;", "Films", "x" * 64, "1st"])
def test_a_database_name_that_needs_quoting_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setenv("POSTGRES_DB", name)
    with pytest.raises(RuntimeError, match="POSTGRES_DB="):
        services.addresses(tmp_path)


def test_only_the_owner_may_read_what_is_remembered(tmp_path):
    services.addresses(tmp_path)
    assert stat.S_IMODE((tmp_path / "services.json").stat().st_mode) == 0o600


def test_a_new_folder_is_its_owners_and_roots_lets_its_servers_pass(tmp_path):
    before = os.umask(0o077)
    try:
        services.addresses(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    expected = 0o711 if os.geteuid() == 0 else 0o700
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == expected
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == expected


def test_a_damaged_memory_is_named_and_not_overwritten(tmp_path):
    (tmp_path / "services.json").write_text("{")
    with pytest.raises(RuntimeError, match=r"services\.json is not JSON"):
        services.addresses(tmp_path)
    assert (tmp_path / "services.json").read_text() == "{"


def test_nothing_else_lies_in_the_folder_after_a_write(tmp_path):
    services.addresses(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"services.json", "memory.lock"}
    assert set(json.loads((tmp_path / "services.json").read_text())) == {
        "postgres_port", "valkey_port", "encoder_port",
        "postgres_password", "valkey_password", "secret_key",
    }  # fmt: skip


def test_a_port_that_a_stranger_took_is_left(tmp_path):
    kept = memory.remembered(tmp_path)
    moved = services.move_port("valkey", tmp_path)
    assert moved not in kept.values()
    assert memory.remembered(tmp_path) == kept | {"valkey_port": moved}


def test_a_port_on_which_the_environment_insists_is_not_left(tmp_path, monkeypatch):
    monkeypatch.setenv("VALKEY_PORT", "6666")
    with pytest.raises(RuntimeError, match="VALKEY_PORT=6666: another program listens there"):
        services.move_port("valkey", tmp_path)
    assert memory.remembered(tmp_path)["valkey_port"] == 6666


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_is_not_free_while_somebody_listens(address):
    with socket.create_server((address, 0)) as server:
        port = server.getsockname()[1]
        assert not services.is_free(port)
    assert services.is_free(port)


def test_a_second_run_on_the_same_folder_is_refused_until_the_first_ends(tmp_path):
    def run_again():
        with services.sole_use(tmp_path):
            return "ran"

    refused = pytest.raises(RuntimeError, match="another demo or test run")
    with services.sole_use(tmp_path), services.sole_use(tmp_path / "test"), refused:
        run_again()
    assert run_again() == "ran"


def test_the_data_folder_is_in_the_checkout_unless_the_environment_names_one(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "CHECKOUT", tmp_path)
    monkeypatch.setattr(memory, "anybody_may_enter", lambda folder: True)
    assert services.data_folder() == tmp_path / ".data"
    monkeypatch.setenv("MEDLEY_DATA", "/srv/medley")
    assert str(services.data_folder()) == "/srv/medley"
    monkeypatch.setenv("MEDLEY_DATA", "elsewhere")
    assert services.data_folder() == tmp_path / "elsewhere"


def test_root_in_a_private_home_keeps_its_data_where_the_servers_can_go(monkeypatch, tmp_path):
    tmp_path.chmod(0o700)
    (tmp_path / "medley").mkdir()
    monkeypatch.setattr(memory, "CHECKOUT", tmp_path / "medley")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert services.data_folder().parent == memory.Path("/var/lib/medley")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert services.data_folder() == tmp_path / "medley" / ".data"
