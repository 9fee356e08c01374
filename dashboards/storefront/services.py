"""What a click does: the same services as the API's, once however often a button is pressed."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from django.contrib.auth import authenticate, login
from django.http import HttpRequest

from accounts.sessions.errors import InvalidCredentials
from accounts.throttling import services as throttling
from accounts.users import rules as users
from accounts.users.services import user_register
from common.addresses import client_address
from common.idempotency import services as idempotency
from common.idempotency.errors import KeyInUse
from common.idempotency.services import Claim, Replay
from payments.checkout import services as checkout
from payments.intake.rules import Method
from payments.risk.services import purchase_screened
from shop.flash_sales.errors import SaleEnded
from shop.flash_sales.waiting import services as waiting
from shop.flash_sales.waiting.errors import InvalidTicket, NotQueued
from shop.flash_sales.waiting.rules import Place

BACKEND: Final = "accounts.users.backends.IdentifierBackend"
# A second click waits for what the first one makes.
LOOKS: Final = 20
LOOK_SECONDS: Final = 0.25


def order_buy(*, user_id: int, slug: str, wanted: dict[str, Any]) -> str:
    """Place an order; its number. Raises what `order_place` does."""
    seen, quantity = wanted["seen"], wanted["quantity"]
    place = partial(
        checkout.order_place,
        user_id=user_id,
        quantities={slug: quantity},
        **_terms(wanted),
        expected_total=seen * quantity if seen else None,
    )
    return _once(user_id, f"page {slug}", wanted, lambda: place().order.number)


def flash_buy(*, user_id: int, slug: str, wanted: dict[str, Any], address: str) -> str:
    """Buy units of a flash sale; the order's number. Raises what `flash_purchase` does."""
    at_once = wanted["method"] == Method.WALLET

    def purchase() -> str:
        with purchase_screened(user_id=user_id, address=address, at_once=at_once):
            bought = checkout.flash_purchase(
                user_id=user_id,
                slug=slug,
                quantity=wanted["quantity"],
                ticket=wanted["ticket"] or None,
                **_terms(wanted),
            )
        return bought.placed.order.number

    return _once(user_id, f"page flash {slug}", wanted, purchase)


def deposit(*, user_id: int, wanted: dict[str, Any]) -> str:
    """Open a deposit; the payment's uid. Raises what `deposit_open` does."""
    opened = partial(
        checkout.deposit_open,
        user_id=user_id,
        amount=wanted["amount"],
        currency="USD",
        **_terms(wanted),
    )
    return _once(user_id, "page deposit", wanted, lambda: str(opened().uid))


def payment_change(*, order_id: int, wanted: dict[str, Any]) -> None:
    """Pay an open order another way. Raises what checkout's `payment_change` does."""
    checkout.payment_change(order_id=order_id, **_terms(wanted))


def _terms(wanted: dict[str, Any]) -> dict[str, Any]:
    """How it is paid, as checkout takes it: token and address are empty but for coins."""
    token, address = wanted["token"], wanted["refund_address"]
    return {"method": wanted["method"], "token": token or None, "refund_address": address}


def place_take(*, slug: str, user_id: int) -> Place:
    """A place in the sale's waiting room. Raises NoSuchSale, SaleEnded."""
    return waiting.place_take(slug=slug, user_id=user_id)


def place_find(*, slug: str, user_id: int, ticket: str) -> Place | None:
    """The buyer's place by a ticket, or by who asks; None for who has none."""
    try:
        return waiting.place_get(slug=slug, user_id=user_id, ticket=ticket or None)
    except InvalidTicket:
        # Of an earlier run, or of somebody who has passed the page's address on.
        return place_find(slug=slug, user_id=user_id, ticket="")
    except (NotQueued, SaleEnded):
        return None


def _once(user_id: int, route: str, wanted: dict[str, Any], make: Callable[[], str]) -> str:
    """The reference of what `make` makes now, or has made for the same form."""
    body = {name: value for name, value in wanted.items() if name != "key"}
    begun = _begin(user_id=user_id, route=route, key=wanted["key"], body=body)
    if isinstance(begun, Replay):
        return begun.object_ref
    try:
        made = make()
    except BaseException:
        # A refused form may be sent again with the same key: what it asks for may be possible then.
        idempotency.end_forgotten(begun)
        raise
    idempotency.end_done(begun)
    return made


def _begin(**asked: Any) -> Claim | Replay:
    for _ in range(LOOKS):
        try:
            return idempotency.begin(**asked)
        except KeyInUse:
            time.sleep(LOOK_SECONDS)
    return idempotency.begin(**asked)


def sign_in(request: HttpRequest, *, identifier: str, password: str) -> None:
    """Open a session. Raises InvalidCredentials, TooManyRequests."""
    account, address = users.identifier_normalise(identifier), client_address(request)
    with throttling.attempt("sign_in", account=account, address=address):
        # Without the request: the backend would count the attempt once more.
        user = authenticate(username=identifier, password=password)
        if user is None:
            raise InvalidCredentials
    login(request, user, backend=BACKEND)


def register(request: HttpRequest, *, email: str, password: str, username: str) -> None:
    """Register and open a session. Raises EmailTaken, UsernameTaken, WeakPassword."""
    address = client_address(request)
    throttling.count("register", account=email, address=address)
    user = user_register(email=email, password=password, username=username, mailed=True)
    throttling.trust(account=user.email, address=address)
    login(request, user, backend=BACKEND)
