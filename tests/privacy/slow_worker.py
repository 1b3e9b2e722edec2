"""A worker as any other, that rests between what it read of a person and what it writes.

python tests/privacy/slow_worker.py FOLDER: it leaves a file there when it rests and goes on.
"""

import sys
import time
from pathlib import Path

SECONDS = 5.0


def main(folder: Path) -> None:
    import django

    from recsite.celery import app

    django.setup()

    from recommender import store

    find = store.find

    def find_slowly(*args, **kwargs):
        (folder / "has-read").touch()
        time.sleep(SECONDS)
        found = find(*args, **kwargs)
        (folder / "goes-on").touch()
        return found

    store.find = find_slowly
    app.worker_main(["worker", "--concurrency", "1"])


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main(Path(sys.argv[1]))
