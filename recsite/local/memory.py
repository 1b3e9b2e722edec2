"""What an installation without services remembers in its data folder: ports, passwords, a secret.

Settings read it in every process, so it is standard library only, and a read is one small file.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import socket
import tempfile
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PORTS = range(20_000, 32_000)  # below what kernels hand out for outgoing connections
PORT_VARIABLES = {
    "postgres": "POSTGRES_PORT",
    "valkey": "VALKEY_PORT",
    "encoder": "ENCODER_PORT",
}
SECRETS = ("postgres_password", "valkey_password", "secret_key")


@dataclass(frozen=True)
class Addresses:
    """Where a process of this installation finds what it needs."""

    database_url: str
    redis_url: str
    encoder_port: int
    secret_key: str


def data_folder() -> Path:
    """MEDLEY_DATA, or .data in the checkout.

    Root's servers run as a system user. Where that user cannot enter the checkout (below a home of
    mode 0700), the folder is /var/lib/medley/<digest of the checkout's path> instead.
    """
    if named := os.environ.get("MEDLEY_DATA"):
        return CHECKOUT / Path(named).expanduser()
    if os.geteuid() == 0 and not anybody_may_enter(CHECKOUT):
        return Path("/var/lib/medley") / hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
    return CHECKOUT / ".data"


def addresses(data: Path | None = None) -> Addresses:
    """Read what is remembered in `data`, choosing once what is missing. Starts nothing.

    POSTGRES_PORT, VALKEY_PORT and ENCODER_PORT overrule what is remembered, and replace it.
    """
    kept = remembered(data or data_folder())
    postgres = f"medley:{kept['postgres_password']}@127.0.0.1:{kept['postgres_port']}"
    valkey = f":{kept['valkey_password']}@127.0.0.1:{kept['valkey_port']}"
    return Addresses(
        database_url=f"postgresql://{postgres}/{database_name()}",
        redis_url=f"redis://{valkey}/0",
        encoder_port=kept["encoder_port"],
        secret_key=kept["secret_key"],
    )


def database_name() -> str:
    name = os.environ.get("POSTGRES_DB") or "medley"
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise RuntimeError(f"POSTGRES_DB={name!r}: use a-z, 0-9 and _, at most 63 of them")
    return name


def remembered(data: Path) -> dict:
    """The whole memory: "<server>_port" for each of PORT_VARIABLES, and SECRETS."""
    kept, asked = _read(data), _ports_of_environment()
    if kept and asked.items() <= kept.items():
        return kept
    return remember(data, asked)


def remember(data: Path, changes: dict) -> dict:
    """Write `changes` over what is remembered; what is missing is chosen first."""
    make_folder(data)
    with locked(data, "memory"):
        kept = _read(data) | changes
        for name in PORT_VARIABLES:
            if f"{name}_port" not in kept:
                kept[f"{name}_port"] = choose_port(avoid=kept.values())
        for name in SECRETS:
            kept.setdefault(name, secrets.token_urlsafe(48))
        write_privately(data / "services.json", json.dumps(kept, indent=1) + "\n")
    return kept


def move_port(name: str, data: Path | None = None) -> int:
    """Give "postgres", "valkey" or "encoder" another free port, since a stranger took its own.

    Raises RuntimeError if the environment insists on the old one.
    """
    data = data or data_folder()
    variable, kept = PORT_VARIABLES[name], remembered(data)
    if taken := os.environ.get(variable):
        raise RuntimeError(f"{variable}={taken}: another program listens there; choose another")
    return remember(data, {f"{name}_port": choose_port(avoid=kept.values())})[f"{name}_port"]


def choose_port(avoid: Container = ()) -> int:
    for _ in range(1000):
        port = secrets.choice(PORTS)
        if port not in avoid and is_free(port):
            return port
    raise RuntimeError(f"no free port from {PORTS.start} to {PORTS.stop - 1}")


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def sole_use(data: Path) -> Iterator[None]:
    """Keep a second demo or test run away from this folder, whose servers it would stop.

    Raises RuntimeError if there is one already. A killed process lets go.
    """
    make_folder(data)
    try:
        with locked(data, "use", wait=False):
            yield
    except BlockingIOError:
        raise RuntimeError(
            f"another demo or test run uses {data}: end it, or set MEDLEY_DATA to another folder"
        ) from None


@contextlib.contextmanager
def locked(data: Path, subject: str, *, wait: bool = True) -> Iterator[None]:
    """Hold the folder's lock on a subject; without `wait` a held one raises BlockingIOError."""
    path = data / f"{subject}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError:
        raise _belongs_to_another(path) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder with its parents, for its owner alone; root's own lets others pass through."""
    try:
        for missing in reversed([f for f in (folder, *folder.parents) if not f.exists()]):
            missing.mkdir(exist_ok=True)
            missing.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise RuntimeError(f"the data folder cannot be made: {error}") from None


def write_privately(path: Path, text: str) -> None:
    """Replace a file at once by one that only the folder's owner may read."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # of mode 0600
    try:
        with open(handle, "w") as file:
            file.write(text)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.chown(name, owner.st_uid, owner.st_gid)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def anybody_may_enter(folder: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents))


def _read(data: Path) -> dict:
    path = data / "services.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise _belongs_to_another(path) from None
    except ValueError:
        raise RuntimeError(f"{path} is not JSON: restore it, or remove {data}") from None


def _ports_of_environment() -> dict[str, int]:
    ports = {}
    for name, variable in PORT_VARIABLES.items():
        if text := os.environ.get(variable):
            if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535):
                raise RuntimeError(f"{variable}={text!r}: use a number from 1 to 65535")
            ports[f"{name}_port"] = int(text)
    return ports


def _belongs_to_another(path: Path) -> RuntimeError:
    return RuntimeError(
        f"{path} belongs to another user: run as that one, or set MEDLEY_DATA to a new folder"
    )
