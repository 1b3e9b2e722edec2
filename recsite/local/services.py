"""Start, stop and look at the embedded services; settings and commands come in by this door.

    python -m recsite.local.services start|stop|status|env

Nothing here imports Django: settings import it. With DATABASE_URL set PostgreSQL is not ours, with
REDIS_URL set Valkey is not; with both nothing is started, which is production.
"""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from recsite.local.memory import (
    PORT_VARIABLES,
    Addresses,
    addresses,
    anybody_may_enter,
    choose_port,
    data_folder,
    is_free,
    locked,
    move_port,
    remember,
    remembered,
    sole_use,
)
from recsite.local.servers import Postgres, Progress, Valkey

__all__ = [
    "Addresses", "State", "addresses", "choose_port", "data_folder", "is_free", "move_port",
    "sole_use", "start", "status", "stop",
]  # fmt: skip

SERVERS = {"postgres": Postgres, "valkey": Valkey}
ELSEWHERE = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL"}


@dataclass(frozen=True)
class State:
    """One server as it is now; `port` is the one it listens on, or would."""

    name: str
    label: str
    port: int
    running: bool


def start(progress: Progress = print, data: Path | None = None) -> list[str]:
    """Start what does not run yet, and return its names; afterwards both servers answer.

    Raises RuntimeError, saying what to do, if they do not.
    """
    data = data or data_folder()
    ours = [name for name in SERVERS if not os.environ.get(ELSEWHERE[name])]
    for name in SERVERS.keys() - ours:
        progress(f"{ELSEWHERE[name]} is set: {SERVERS[name].label} is not started here")
    remembered(data)  # makes the folder
    if ours and os.geteuid() == 0 == data.stat().st_uid:
        data.chmod(data.stat().st_mode | 0o011)  # the servers' user passes through it
        if not anybody_may_enter(data.resolve()):
            raise RuntimeError(
                f"root's servers run as another user, who cannot enter {data}: "
                "set MEDLEY_DATA to a folder that every user may enter"
            )
    started: list[str] = []
    with locked(data, "servers"):
        try:
            for name in ours:
                if _bring_up(name, data, progress):
                    started.append(name)
        except BaseException:
            for name in started:
                _server(name, data).stop()
            raise
    return started


def stop(
    progress: Progress = print, data: Path | None = None, names: Iterable[str] = SERVERS
) -> None:
    """Stop the named servers of this folder, if they run; RuntimeError if one does not stop."""
    data = data or data_folder()
    if not (data / "services.json").exists():
        return
    with locked(data, "servers"):
        for name in names:
            server = _server(name, data)
            if server.running_port():
                server.stop()
                progress(f"{server.label} stopped")


def status(data: Path | None = None) -> list[State]:
    states = []
    for name in SERVERS:
        server = _server(name, data or data_folder())
        port = server.running_port()
        states.append(State(name, server.label, port or server.port, running=port is not None))
    return states


def _server(name: str, data: Path) -> Postgres | Valkey:
    kept = remembered(data)
    return SERVERS[name](data.resolve(), kept[f"{name}_port"], kept[f"{name}_password"])


def _bring_up(name: str, data: Path, progress: Progress) -> bool:
    server = _server(name, data)
    running = server.running_port()
    if running and running != server.port:
        if asked := os.environ.get(PORT_VARIABLES[name]):
            raise RuntimeError(
                f"{server.label} already runs on port {running}, not on "
                f"{PORT_VARIABLES[name]}={asked}: stop it first (make stop)"
            )
        remember(data, {f"{name}_port": running})
        server = _server(name, data)
    if not running:
        if not is_free(server.port):
            move_port(name, data)
            progress(f"{server.label}: another program took port {server.port}, so it moves")
            server = _server(name, data)
        server.launch(progress)
    server.make_ready(launched=not running)
    if not running:
        progress(f"{server.label} answers on 127.0.0.1:{server.port}")
    return not running


def main(arguments: list[str]) -> int:
    if arguments == ["start"]:
        start()
    elif arguments == ["stop"]:
        stop()
    elif arguments == ["env"]:
        here = addresses()
        print(f"DATABASE_URL={here.database_url}\nREDIS_URL={here.redis_url}")
        print(f"ENCODER_PORT={here.encoder_port}\nSECRET_KEY={here.secret_key}")
    elif arguments == ["status"]:
        states = status()
        for state in states:
            word = "running" if state.running else "stopped"
            print(f"{state.label:<11}127.0.0.1:{state.port}  {word}")
        print(f"data folder {data_folder()}")
        return 0 if all(state.running for state in states) else 3
    else:
        print("usage: python -m recsite.local.services start|stop|status|env", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RuntimeError as failure:
        sys.exit(f"services: {failure}")
