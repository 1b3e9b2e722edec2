"""Servers of web processes beside each other: the same lists, in turns, in one run.

    python -m bench.web ITEMS

Each server has two processes, one a core, if nothing else is said, and answers from the same
database; all are up at once and asked in turns, by one client and by eight, which share the cores.
"""

import contextlib
import sys

import numpy as np

from recsite.local.memory import data_folder

CLIENTS, BLOCKS = 8, 3
SECONDS_ALONE, SECONDS_TOGETHER = 3, 6  # of each block
LIST = "/api/v1/recommendations/?limit=20"
PROCFILE = "gunicorn gthread, 2 × 4 (Procfile)"
GUNICORN = "exec gunicorn recsite.wsgi -b 127.0.0.1:$PORT --no-control-socket --log-level warning"
GRANIAN = "exec granian recsite.wsgi:application --interface wsgi --host 127.0.0.1 --port $PORT"
UVICORN = "exec uvicorn bench.asgi:application --host 127.0.0.1 --port $PORT --lifespan off"
SERVERS = {
    "gunicorn gthread, 2 × 1": f"{GUNICORN} --worker-class gthread --workers 2 --threads 1",
    PROCFILE: "",
    "gunicorn gthread, 2 × 8": f"{GUNICORN} --worker-class gthread --workers 2 --threads 8",
    "gunicorn sync, 4": f"{GUNICORN} --worker-class sync --workers 4",
    "granian WSGI, 2 × 4": f"{GRANIAN} --workers 2 --blocking-threads 4 --log-level warning",
    "uvicorn ASGI, 2": f"{UVICORN} --workers 2 --log-level warning",
}


def main(n_items: int) -> None:
    from bench import site
    from bench.scale import clients, run

    work = data_folder() / "scale"
    work.mkdir(parents=True, exist_ok=True)
    alone: dict[str, list[float]] = {name: [] for name in SERVERS}
    together: dict[str, list[float]] = {name: [] for name in SERVERS}
    rates: dict[str, list[float]] = {name: [] for name in SERVERS}
    with contextlib.ExitStack() as stack:
        environment, prepared = stack.enter_context(
            run.catalogue_of(n_items, work, lambda text: print(text, file=sys.stderr, flush=True))
        )
        asks = [["GET", LIST, token, None] for token in prepared.tokens[:48]]
        up = {}
        for name, command in SERVERS.items():
            port = site.free_port()
            process = stack.enter_context(site.web(port, command, **environment))
            up[name] = port, process.pid
        for block in range(-1, BLOCKS):  # the first warms all of them
            for name, (port, _) in up.items():
                took, _ = clients.together([{"asking": [port, asks]}], seconds=SECONDS_ALONE)
                works = [{"asking": [port, asks[n::CLIENTS]]} for n in range(CLIENTS)]
                took_together, rate = clients.together(works, seconds=SECONDS_TOGETHER)
                if block >= 0:
                    alone[name].extend(took)
                    together[name].extend(took_together)
                    rates[name].append(rate)
        memory = {name: site.megabytes(pid) for name, (_, pid) in up.items()}
    base = np.median(rates[PROCFILE])
    for name in SERVERS:
        rate = np.median(rates[name])
        print(
            f"| {name} | {np.median(alone[name]):.1f} | {np.median(together[name]):.1f} |"
            f" {np.quantile(together[name], 0.99):.1f} | {rate:.1f} | {rate / base:.2f} |"
            f" {memory[name]:.0f} |"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]))
