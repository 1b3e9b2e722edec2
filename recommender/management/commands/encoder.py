"""Serve the local model to the web processes of this machine, which never load torch.

One process with one worker. It serves the models of all spaces that are kept, so that a switch of
spaces finds its model loaded. Without a usable model it does not stop, since a supervisor would
start it over and over: it says what to do, answers 503, and looks again every few seconds.
"""

import logging
import threading
import time

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from gunicorn.app.base import BaseApplication

from recommender import store
from recommender.embeddings import server
from recommender.embeddings.encoder import Encoder, EncoderError, load, served_name

logger = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 5.0
LOOK_FOR_SPACES_SECONDS = 15.0


class LoadedLater:
    """An encoder that a thread loads, so that the port answers from the start."""

    def __init__(self, say):
        self._say = say
        self._encoder: Encoder | None = None
        self._reason = "the model is being loaded"

    def start(self) -> None:
        threading.Thread(target=self._load, name="load encoder", daemon=True).start()

    def __call__(self) -> Encoder:
        if self._encoder is None:
            raise EncoderError(self._reason)
        return self._encoder

    def _load(self) -> None:
        said = None
        while self._encoder is None:
            began = time.monotonic()
            try:
                encoder = load(
                    settings.EMBEDDING_MODEL,
                    models_folder=settings.MODELS_FOLDER,
                    backend=settings.EMBEDDING_BACKEND,
                )
                encoder.encode(["kettle"], role="query")  # the first one is slow
                self._encoder = encoder
            except Exception as error:  # nobody catches what leaves a thread
                if not isinstance(error, EncoderError):
                    logger.exception("loading the encoder failed")
                self._reason = str(error) or type(error).__name__
                if self._reason != said:
                    self._say(f"no encoder: {self._reason}")
                    said = self._reason
                time.sleep(LOOK_AGAIN_SECONDS)
        seconds = time.monotonic() - began
        self._say(f"{encoder.name} ({encoder.dimension} dimensions) ready in {seconds:.1f} s")


class LoadedBeside(dict[str, Encoder]):
    """Encoders of spaces that are kept and made with other models, by the name they are asked for.

    A thread looks for them again and again; without the database it keeps those it has.
    """

    def __init__(self, say):
        super().__init__()
        self._say = say
        self._failed: set[str] = set()

    def start(self) -> None:
        threading.Thread(target=self._look, name="load others", daemon=True).start()

    def _look(self) -> None:
        while True:
            try:
                self.look()
            except Exception as error:  # nobody catches what leaves a thread
                logger.warning("the spaces could not be read: %s", error)
            finally:
                connection.close()
            time.sleep(LOOK_FOR_SPACES_SECONDS)

    def look(self) -> None:
        """Load what is missing, let go what is not needed any more."""
        wanted = {
            served_name(space.model): space
            for space in store.kept_spaces()
            if space.backend != "http"
            and served_name(space.model) != served_name(settings.EMBEDDING_MODEL)
        }
        for name in self.keys() - wanted.keys():
            del self[name]
            self._say(f"{name} is not needed any more")
        for name in wanted.keys() - self.keys():
            space = wanted[name]
            try:
                model = load(
                    space.model, models_folder=settings.MODELS_FOLDER, backend=space.backend
                )
                model.encode(["kettle"], role="query")  # the first one is slow
            except EncoderError as error:
                if name not in self._failed:
                    self._say(f"space {space.name} has no encoder: {error}")
                self._failed.add(name)
            else:
                self[name] = model
                self._say(f"{model.name} ({model.dimension} dimensions) ready for {space.name}")


class EncoderServer(BaseApplication):
    def __init__(self, get_encoder: LoadedLater, others: LoadedBeside, port: int):
        self._get_encoder = get_encoder
        self._others = others
        self._port = port
        super().__init__()

    def load_config(self) -> None:
        wanted = {
            "bind": f"127.0.0.1:{self._port}",  # no password: for this machine only
            "workers": 1,
            "worker_class": "gthread",
            "threads": 4,
            "keepalive": 75,
            "graceful_timeout": 1,
            "timeout": 120,  # importing torch can hold a busy machine's interpreter for long
            "proc_name": "encoder",
            "loglevel": "warning",
            "control_socket_disable": True,
            # Loaded after the fork: neither CUDA nor torch's threads outlive one.
            "post_worker_init": lambda worker: (self._get_encoder.start(), self._others.start()),
        }
        for name, value in wanted.items():
            self.cfg.set(name, value)

    def load(self):
        return server.application(self._get_encoder, self._others)


class Command(BaseCommand):
    help = "Serve the model of EMBEDDING_MODEL on 127.0.0.1:ENCODER_PORT as /v1/embeddings."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=settings.ENCODER_PORT)

    def handle(self, *, port, **options):
        if settings.EMBEDDING_BACKEND == "http":
            raise CommandError("EMBEDDING_BACKEND=http: another server encodes, nothing to serve")

        def say(line):
            self.stdout.write(f"encoder: {line}")
            self.stdout.flush()

        say(f"http://127.0.0.1:{port}/v1")
        EncoderServer(LoadedLater(say), LoadedBeside(say), port).run()
