"""Serve the local model to the web processes of this machine, which never load torch.

One process with one worker. Without a usable model it does not stop, since a supervisor would
start it over and over: it says what to do, answers 503, and looks again every few seconds.
"""

import logging
import threading
import time

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from gunicorn.app.base import BaseApplication

from recommender.embeddings import server
from recommender.embeddings.encoder import Encoder, EncoderError, load

logger = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 5.0


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


class EncoderServer(BaseApplication):
    def __init__(self, get_encoder: LoadedLater, port: int):
        self._get_encoder = get_encoder
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
            "post_worker_init": lambda worker: self._get_encoder.start(),
        }
        for name, value in wanted.items():
            self.cfg.set(name, value)

    def load(self):
        return server.application(self._get_encoder)


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
        EncoderServer(LoadedLater(say), port).run()
