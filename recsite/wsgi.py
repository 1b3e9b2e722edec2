"""The WSGI entry of the web processes."""

import os

# Before numpy is loaded: its products are small here, and threads of one request would only wait
# for those of another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http.request import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")


class Request(WSGIRequest):
    """In UTF-8, whatever a client says: Python has codecs of no text, and with `charset=base64`
    Django fails before it has a handler for errors."""

    def _set_content_type_params(self, meta: dict) -> None:
        self.content_type, self.content_params = parse_header_parameters(
            meta.get("CONTENT_TYPE", "")
        )
        self.content_params.pop("charset", None)


class Handler(WSGIHandler):
    request_class = Request


django.setup(set_prefix=False)
application = Handler()
