"""Customers: create, retrieve, update, delete, list."""

from payments.sandbox.stripe import errors, objects
from payments.sandbox.stripe.context import Context
from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.params import (
    PAGE,
    Parser,
    Spec,
    any_hash,
    email,
    metadata,
    nested,
    one_of,
    text,
    texts,
)

_SETTINGS = nested({"default_payment_method": text, "footer": text})
_FIELDS: dict[str, Parser] = {
    "address": any_hash,
    "description": text,
    "email": email,
    "expand": texts,
    "invoice_settings": _SETTINGS,
    "metadata": metadata,
    "name": text,
    "phone": text,
    "preferred_locales": texts,
    "shipping": any_hash,
    "tax_exempt": one_of("none", "exempt", "reverse"),
}
CREATE = Spec({**_FIELDS, "payment_method": text})
UPDATE = Spec(_FIELDS)
LIST = Spec({**PAGE, "email": email})
_COPIED = (
    "address", "description", "email", "name", "phone", "preferred_locales", "shipping",
    "tax_exempt",
)  # fmt: skip


def create(ctx: Context) -> JSON:
    customer = objects.customer(ctx.now)
    _write(ctx, customer)
    ctx.emit("customer.created", customer)
    return customer


def retrieve(ctx: Context, id_: str) -> JSON:
    customer = ctx.require("customer", id_)
    return _stub(customer) if customer.get("deleted") else customer


def update(ctx: Context, id_: str) -> JSON:
    customer = living(ctx, id_, "id", 404)
    before = dict(customer)
    _write(ctx, customer)
    previous = {name: old for name, old in before.items() if customer[name] != old}
    ctx.emit("customer.updated", customer, previous)
    return customer


def delete(ctx: Context, id_: str) -> JSON:
    """Gone for new payments and from lists; what was paid keeps its id."""
    customer = living(ctx, id_, "id", 404)
    ctx.store.put({**_stub(customer), "created": customer["created"]})
    ctx.emit("customer.deleted", customer)
    return _stub(customer)


def list_(ctx: Context) -> JSON:
    found = ctx.page("customer", "/v1/customers", {"email": ctx.params.get("email")})
    found["data"] = [customer for customer in found["data"] if not customer.get("deleted")]
    return found


def living(ctx: Context, id_: str, param: str = "customer", status: int = 400) -> JSON:
    """The customer, or resource_missing when unknown or deleted."""
    customer = ctx.require("customer", id_, param, status)
    if customer.get("deleted"):
        raise errors.missing_object("customer", id_, param=param, status=status)
    return customer


def _write(ctx: Context, customer: JSON) -> None:
    ctx.copy_params(customer, *_COPIED)
    customer["invoice_settings"].update(ctx.params.get("invoice_settings", {}))
    ctx.change_metadata(customer)
    ctx.store.put(customer)


def _stub(customer: JSON) -> JSON:
    return {"id": customer["id"], "object": "customer", "deleted": True}
