"""The composition root: settings, urls, Celery, WSGI, and the commands that cross apps."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
