"""The audit log: written with the act, sealed in a chain, and any change to it seen."""

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction
from django.db.models import QuerySet

from common import clock
from common.audit import selectors, services
from common.audit.models import AuditBatch, AuditEntry, AuditSeal
from shop.catalogue.services import product_archive, product_update
from shop.inventory.services import stock_adjust
from tests.factories.shop import ProductFactory

pytestmark = pytest.mark.django_db


def past_the_guard(model: Any) -> QuerySet[Any]:
    """Rows as somebody with the database's password reaches them."""
    return QuerySet(model)


def write(count: int) -> None:
    for number in range(count):
        services.record(
            actor_id=None, action="test.act", target=f"thing:{number}", data={"n": number}
        )


def chain(*sizes: int) -> None:
    for size in sizes:
        write(size)
        services.seal()


def test_an_act_and_its_entry_commit_together() -> None:
    def act() -> None:
        with transaction.atomic():
            services.record(actor_id=None, action="test.act", target="thing:1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act()
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_entry_apart_from_its_act_is_refused() -> None:
    with pytest.raises(RuntimeError, match="outside a transaction"):
        services.record(actor_id=None, action="test.act", target="thing:1")


def test_staff_acts_are_written_down_with_what_changed(customer) -> None:
    product = ProductFactory(slug="audited", list_price=5000, stock=3)
    product_update(slug="audited", changes={"list_price": 4500}, actor_id=customer.pk)
    stock_adjust(product_id=product.pk, delta=2, reason="delivery", actor_id=customer.pk)
    product_archive(slug="audited", actor_id=customer.pk)
    product_archive(slug="audited", actor_id=customer.pk)
    entries = list(AuditEntry.objects.order_by("pk"))
    assert [e.action for e in entries] == ["product.update", "stock.adjust", "product.archive"]
    assert {e.target for e in entries} == {"product:audited"}
    assert {e.actor_id for e in entries} == {customer.pk}
    assert entries[0].data == {"list_price": [5000, 4500]}
    assert entries[1].data == {"delta": 2, "reason": "delivery"}


def test_sealing_takes_every_entry_once() -> None:
    chain(3, 2)
    assert services.seal() is None
    assert [b.entries for b in AuditBatch.objects.order_by("number")] == [3, 2]
    assert services.breaches() == []


def test_an_entry_that_commits_late_goes_into_the_next_batch() -> None:
    write(3)
    late = AuditEntry.objects.order_by("pk").first()
    fields = {f.attname: getattr(late, f.attname) for f in AuditEntry._meta.concrete_fields}
    past_the_guard(AuditEntry).filter(pk=late.pk).delete()
    services.seal()
    AuditEntry.objects.create(**fields)
    services.seal()
    assert services.breaches() == []
    assert AuditSeal.objects.get(entry_id=late_key(fields)).batch_id == 2


def test_what_was_sealed_long_ago_is_not_looked_through_again() -> None:
    """No transaction is open for an hour: one that was would be left out, as here."""
    chain(3)
    write(1)
    late, new = AuditEntry.objects.order_by("pk")[1], AuditEntry.objects.latest("pk")
    past_the_guard(AuditSeal).filter(entry=late).delete()
    assert list(selectors.unsealed()) == [late, new]
    past_the_guard(AuditBatch).update(sealed_at=clock.now() - selectors.SLACK)
    assert list(selectors.unsealed()) == [new]


def late_key(fields: dict[str, object]) -> object:
    return fields["id"]


def changed() -> None:
    past_the_guard(AuditEntry).filter(target="thing:1").update(data={"n": 99})


def backdated() -> None:
    entry = AuditEntry.objects.get(target="thing:1")
    past_the_guard(AuditEntry).filter(pk=entry.pk).update(
        created_at=entry.created_at.replace(year=2001)
    )


def removed() -> None:
    entry = AuditEntry.objects.get(target="thing:1")
    past_the_guard(AuditSeal).filter(entry=entry).delete()
    past_the_guard(AuditEntry).filter(pk=entry.pk).delete()


def batch_removed() -> None:
    past_the_guard(AuditSeal).filter(batch_id=1).delete()
    past_the_guard(AuditBatch).filter(number=1).delete()


def added() -> None:
    entry = AuditEntry.objects.create(action="test.forged", target="thing:x")
    AuditSeal.objects.create(entry=entry, batch_id=1)


@pytest.mark.parametrize("tamper", [changed, backdated, removed, batch_removed, added])
def test_a_break_of_the_chain_is_seen(tamper) -> None:
    chain(3)
    AuditEntry.objects.create(action="test.act", target="after")
    services.seal()
    assert services.breaches() == []
    tamper()
    assert services.breaches()
    with pytest.raises(CommandError, match="break"):
        call_command("verify_audit_log")


def test_a_chain_cut_at_its_end_is_seen_by_an_anchor() -> None:
    chain(2, 2)
    anchor = AuditBatch.objects.get(number=2).digest
    assert services.breaches(anchors=[anchor]) == []
    past_the_guard(AuditSeal).filter(batch_id=2).delete()
    past_the_guard(AuditEntry).filter(seal=None).delete()
    past_the_guard(AuditBatch).filter(number=2).delete()
    assert services.breaches() == []
    assert services.breaches(anchors=[anchor]) == [f"digest {anchor} is not in the chain"]


def test_staff_read_it_and_customers_do_not(api, staff_api) -> None:
    write(2)
    services.seal()
    body = staff_api.get("/api/v1/admin/audit-log/", {"target": "thing:1"}).json()
    assert [(row["action"], row["batch"]) for row in body["results"]] == [("test.act", 1)]
    assert api.get("/api/v1/admin/audit-log/").status_code == 403
