"""A small shop with a customer and staff, as a process of its own or a module's fixture has it."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from celery import current_app
from django.core.cache import cache
from django.db import connection
from django.test import override_settings

from accounts.sessions import store
from common import clock
from common.outbox import services as outbox
from payments.chain import gateway
from payments.crypto.models import Invoice, ScannedBlock, Submission
from payments.exchange.models import ExchangeAttempt, ExchangeBatch
from payments.intake.models import Dispute, Payment
from payments.market.models import ProviderUse
from payments.market.rules.budgets import Window
from payments.risk.models import CardUse, RiskHit
from payments.risk.rules import Action, Rule
from payments.sandbox.stripe import StripeSandbox
from payments.sandbox.venue import VenueSandbox
from shop.models import Product, ProductImport, SalesMonth
from tests.api.test_query_budgets import World
from tests.e2e import dumps
from tests.factories.chain import in_process
from tests.factories.exchange import fund
from tests.factories.orders import ORDERS, order_body, post
from tests.factories.outbox import drained
from tests.factories.users import StaffFactory, UserFactory, client_for
from tests.faults.coin_task_cases import coins_back

SECRET = "whsec_tests"


@contextmanager
def database(statements: str, name: str) -> Iterator[None]:
    """Another database, made of these statements; it is gone afterwards."""
    own = connection.settings_dict["NAME"]
    dumps.restore(statements, name)
    try:
        _use(name)
        yield
    finally:
        _use(own)
        dumps.drop(name)


def _use(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name


@contextmanager
def outside() -> Iterator[None]:
    """Stand-ins for all that the shop talks to, and no broker."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stripe = stack.enter_context(
            StripeSandbox(Path(folder) / "stripe.sqlite3", webhook_secret=SECRET)
        )
        venue = stack.enter_context(VenueSandbox())
        stack.enter_context(
            override_settings(STRIPE_API_BASE=stripe.url, EXCHANGE_VENUE_URL=venue.url)
        )
        stack.enter_context(patch.object(gateway, "_post", lambda body: in_process(body)[1]))
        stack.enter_context(patch.object(outbox, "send", lambda *_: None))
        # A session that the cache forgets meanwhile is looked for in the database.
        stack.enter_context(patch.object(store, "LIVE_TTL", 3600))
        yield


def small_shop() -> World:
    """One of everything that lists show."""
    cache.clear()
    owner = UserFactory()
    world = World(client_for(owner), owner, client_for(StaffFactory()), drained)
    world.grow()
    return world


def rest(world: World) -> None:
    """What no list shows: refunds in coins, risks, disputes, keys, figures, the audit's chain."""
    refund, _case = coins_back()
    run("payments.crypto.send_refund", refund_id=refund.pk)
    now, user = clock.now(), world.owner
    RiskHit.objects.create(user=user, rule=Rule.USER, action=Action.REFUSE)
    CardUse.objects.create(card="a card", user=user, used_at=now)
    ProviderUse.objects.create(provider="simulated", window=Window.MINUTE, starts_at=now)
    ScannedBlock.objects.create(chain_id=1, number=1, hash="0")
    Submission.objects.create(invoice=Invoice.objects.earliest("pk"), tx_hash="0")
    payment = Payment.objects.get(uid=world.last["uid"])
    Dispute.objects.create(payment=payment, reference="dp_1", currency="USD", amount=100)
    batch = ExchangeBatch.objects.get()
    ExchangeAttempt.objects.create(
        batch=batch, number=1, client_order_id="1", units=1, state="refused", answered_at=now
    )
    ProductImport.objects.create(
        name="goods.csv", digest="0", dry_run=True, rows=1, created=1, changed=0, unchanged=0
    )
    fund(world.owner, 100_000)
    lines = order_body((world.last["slug"], 1), method="wallet")
    assert post(world.api, ORDERS, lines, key="a-key").status_code == 201
    for task in ("shop.statistics.count", "payments.statistics.count", "common.audit.seal"):
        run(task)
    SalesMonth.objects.create(
        product=Product.objects.latest("pk"), month=now.date(), orders=1, units=1, amount=1
    )


def run(task: str, **payload: Any) -> None:
    current_app.tasks[task](**payload)
