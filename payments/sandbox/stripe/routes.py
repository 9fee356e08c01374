"""The routes of the API: method, path, parameters, handler."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from payments.sandbox.stripe import (
    charges,
    confirm,
    customers,
    disputes,
    intents,
    methods,
    refunds,
)
from payments.sandbox.stripe.context import Context
from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.params import NOTHING, PAGE, Spec, text, texts

Handler = Callable[..., JSON]

EVENTS = Spec({**PAGE, "type": text, "types": texts})


def list_events(ctx: Context) -> JSON:
    types = ctx.params.get("types")
    where = {"type": ctx.params.get("type"), "types": json.dumps(types) if types else None}
    return ctx.page("event", "/v1/events", where)


def _retrieve(kind: str) -> Handler:
    def handler(ctx: Context, id_: str) -> JSON:
        return ctx.require(kind, id_, "id")

    return handler


@dataclass(frozen=True)
class Route:
    """`path` has `*` where an id stands; ids reach the handler in order."""

    method: str
    path: str
    spec: Spec
    handler: Handler

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.path.replace("*", r"([A-Za-z0-9_\-]+)"))


ROUTES = [
    Route("POST", "/v1/customers", customers.CREATE, customers.create),
    Route("GET", "/v1/customers", customers.LIST, customers.list_),
    Route("GET", "/v1/customers/*", NOTHING, customers.retrieve),
    Route("POST", "/v1/customers/*", customers.UPDATE, customers.update),
    Route("DELETE", "/v1/customers/*", NOTHING, customers.delete),
    Route("GET", "/v1/customers/*/payment_methods", methods.LIST, methods.list_of_customer),
    Route("POST", "/v1/payment_methods", methods.CREATE, methods.create),
    Route("GET", "/v1/payment_methods", methods.LIST, methods.list_),
    Route("GET", "/v1/payment_methods/*", NOTHING, methods.retrieve),
    Route("POST", "/v1/payment_methods/*/attach", methods.ATTACH, methods.attach),
    Route("POST", "/v1/payment_methods/*/detach", NOTHING, methods.detach),
    Route("POST", "/v1/payment_intents", intents.CREATE, intents.create),
    Route("GET", "/v1/payment_intents", intents.LIST, intents.list_),
    Route("GET", "/v1/payment_intents/*", NOTHING, intents.retrieve),
    Route("POST", "/v1/payment_intents/*", intents.UPDATE, intents.update),
    Route("POST", "/v1/payment_intents/*/confirm", confirm.CONFIRM, confirm.confirm),
    Route("POST", "/v1/payment_intents/*/capture", intents.CAPTURE, intents.capture),
    Route("POST", "/v1/payment_intents/*/cancel", intents.CANCEL, intents.cancel),
    Route("GET", "/v1/charges", charges.LIST, charges.list_),
    Route("GET", "/v1/charges/*", NOTHING, charges.retrieve),
    Route("POST", "/v1/charges/*", charges.UPDATE, charges.update),
    Route("GET", "/v1/charges/*/refunds", refunds.LIST, refunds.list_of_charge),
    Route("POST", "/v1/refunds", refunds.CREATE, refunds.create),
    Route("GET", "/v1/refunds", refunds.LIST, refunds.list_),
    Route("GET", "/v1/refunds/*", NOTHING, refunds.retrieve),
    Route("POST", "/v1/refunds/*", refunds.UPDATE, refunds.update),
    Route("GET", "/v1/disputes", disputes.LIST, disputes.list_),
    Route("GET", "/v1/disputes/*", NOTHING, disputes.retrieve),
    Route("GET", "/v1/balance_transactions/*", NOTHING, _retrieve("balance_transaction")),
    Route("GET", "/v1/events", EVENTS, list_events),
    Route("GET", "/v1/events/*", NOTHING, _retrieve("event")),
]
_TABLE = [(route.pattern, route) for route in ROUTES]


def match(method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
    """The route of a call and the ids in its path."""
    for pattern, route in _TABLE:
        if route.method == method and (found := pattern.fullmatch(path)):
            return route, found.groups()
    return None
