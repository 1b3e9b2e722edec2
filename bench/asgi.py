"""The site over ASGI, for the comparison of servers alone: its views are plain functions."""

from recsite.wsgi import application as _  # noqa: F401  first: it sets the site up

from django.core.handlers.asgi import ASGIHandler  # isort: skip

application = ASGIHandler()
