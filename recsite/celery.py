"""The Celery application. Only the relay publishes; the request path never talks to the broker."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")

app = Celery("medley")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
