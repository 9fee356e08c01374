"""Each task has a queue, and who may hang keeps nobody else's work waiting."""

import pytest
from celery import current_app
from django.conf import settings

from common.outbox.broker import queue_of

APPS = ("accounts.", "common.", "config.", "payments.", "shop.")


def tasks() -> list[str]:
    current_app.loader.import_default_modules()
    return sorted(name for name in current_app.tasks if name.startswith(APPS))


def test_every_queue_has_tasks_and_every_task_one_of_these_queues() -> None:
    assert len(tasks()) > 25
    # Its pulse alone does not make a queue useful.
    assert {queue_of(name) for name in tasks()} == set(settings.QUEUES)


@pytest.mark.parametrize("room", ["market", "exchange", "crypto", "chain"])
def test_who_asks_a_node_a_venue_or_a_price_provider_is_not_among_the_cards(room: str) -> None:
    asking = [name for name in tasks() if name.startswith(f"payments.{room}.")]
    assert asking
    assert {queue_of(name) for name in asking} == {"background"}


def test_what_sends_again_and_gives_back_does_not_stand_behind_them() -> None:
    for name in ("common.outbox.sweep", "shop.flash_sales.sweep"):
        assert queue_of(name) == "payments"
