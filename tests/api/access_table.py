"""Who gets what from each operation of the API: the one list that a new route must enter.

A line reads: method and path, who may, the answer, and the body with which it succeeds.
`Row.expected` spells it out for each of CALLERS and OBJECTS; `World` has them all.
"""

import io
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

from accounts.sessions.services import session_start
from accounts.users.services import user_deactivate
from common import clock
from payments.checkout.services import Placed, order_place
from payments.exchange import services as exchange
from payments.exchange.models import ExchangeOrder
from payments.intake.services import Capture, payment_settle
from payments.stripe import services as stripe
from tests.factories.events import stored_event
from tests.factories.exchange import fund, listed
from tests.factories.exports import exported
from tests.factories.flash import daily, live_run
from tests.factories.market import priced
from tests.factories.orders import order_body
from tests.factories.risk import allowed
from tests.factories.shop import ProductFactory
from tests.factories.users import PASSWORD, StaffFactory, SuperuserFactory, UserFactory

CALLERS: Final = ("anonymous", "customer", "other customer", "inactive", "staff", "superuser")
OBJECTS: Final = ("own", "foreign", "missing")
NOBODY: Final = ("anonymous", "inactive")
STAFF_CALLERS: Final = ("staff", "superuser")

Operation = tuple[str, str]
Body = Callable[["World", str], dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """Who may, the answer they get, and what the call needs to succeed.

    `order` is the state in which the order of the path is: open, paid or underpaid; coins: open,
    and to be paid with them.
    """

    who: str
    status: int = 200
    body: Body | None = None
    order: str = "open"
    form: bool = False
    query: str = ""

    def expected(self, caller: str, which: str) -> int:
        if self.who == "bearer of the body":
            return self.status
        if self.who == "active bearer of the body":
            return 401 if caller == "inactive" else self.status
        # A token that has ended is refused even where none is needed.
        if caller == "inactive" or (caller == "anonymous" and self.who != "anybody"):
            return 401
        if self.who == "staff" and caller not in STAFF_CALLERS:
            return 403
        if which == "missing" or (which == "foreign" and self.who == "owner"):
            return 404
        return self.status


class World:
    """The callers and their objects, made when they are first asked for."""

    def __init__(self, goods: Any = None) -> None:
        self.goods = goods or ProductFactory(slug="goods", list_price=1000, stock=1000)
        self._users: dict[str, Any] = {}
        self._sessions: dict[str, Any] = {}

    def user(self, caller: str) -> Any:
        if caller not in self._users:
            kind = {"staff": StaffFactory, "superuser": SuperuserFactory}.get(caller, UserFactory)
            user = self._users[caller] = kind()
            # Before the end of the inactive: their tokens were good once.
            self._sessions[caller] = session_start(user_id=user.pk)
            if caller == "inactive":
                user_deactivate(user_id=user.pk)
        return self._users[caller]

    def refresh_token(self, caller: str) -> str:
        user = self.user(caller)
        pair = self._sessions[caller] if caller == "inactive" else session_start(user_id=user.pk)
        return str(pair.refresh)

    def client(self, caller: str) -> APIClient:
        # What goes wrong in a view is its 500 here, to be compared like every status.
        client = APIClient(raise_request_exception=False)
        if caller != "anonymous":
            self.user(caller)
            access = self._sessions[caller].access
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
        return client

    def owner(self, caller: str, which: str) -> Any:
        """Whose the object is: nobody's own is the customer's, the customer's foreign another's."""
        if which == "foreign" or caller == "anonymous":
            return self.user("other customer" if caller == "customer" else "customer")
        return self.user(caller)

    def placed(self, owner: Any, state: str) -> Placed:
        if state == "coins":
            priced("ethereum", "2000")
        method = "crypto" if state == "coins" else "stripe"
        made = order_place(user_id=owner.pk, quantities={"goods": 1}, method=method)
        if state == "paid":
            stripe.payment_confirm(payment_id=made.payment.pk, payment_method="pm_card_visa")
            stripe.intent_sync(payment_id=made.payment.pk)
        if state == "underpaid":
            capture = Capture(999, "USD", f"pi_{made.payment.pk}")
            payment_settle(payment_id=made.payment.pk, capture=capture)
        return made

    def coins_of(self, path: str, owner: Any) -> uuid.UUID:
        """An exchange order that waits; for staff, a batch that does, or that is to be sent."""
        listed("ABAN")
        amount = "3" if path.endswith(("retry/", "reconcile/")) else "0.01"
        made: ExchangeOrder = exchange.order_place(
            user_id=fund(owner, 2000).pk, symbol="ABAN", amount=Decimal(amount)
        )
        made.refresh_from_db()
        return made.batch.uid if "batches" in path and made.batch else made.uid

    def url(self, path: str, row: Row, caller: str, which: str) -> str:
        """The path with its parameter: an object's key, or one that is nobody's."""
        if which == "missing":
            return path.format(
                slug="no-such", number="SK-0000-0000", uid=uuid.uuid4(), event_id="evt_none"
            )
        if "flash-sales/{slug}" in path:
            sale = live_run(units=5, stock=50, ends=True).sale
            return path.format(slug=sale.slug, uid=daily(sale).uid)
        if "exchange/" in path and "{uid}" in path:
            return path.format(uid=self.coins_of(path, self.owner(caller, which)))
        if "exports/{uid}" in path:
            return path.format(uid=exported(self.owner(caller, which)).uid)
        if "allowances/{uid}" in path:
            return path.format(uid=allowed().uid)
        if "{slug}" in path:
            return path.format(slug=ProductFactory(stock=5).slug)
        if "{event_id}" in path:
            return path.format(event_id=stored_event().event_id)
        if "{" not in path:
            return path
        made = self.placed(self.owner(caller, which), row.order)
        return path.format(number=made.order.number, uid=made.payment.uid)

    def body(self, row: Row, caller: str) -> dict[str, Any] | None:
        return row.body(self, caller) if row.body else None

    def call(self, operation: Operation, row: Row, caller: str, which: str) -> Any:
        """The answer of a call that is right in everything but perhaps caller and object."""
        method, path = operation
        send = getattr(self.client(caller), method.lower())
        url = self.url(path, row, caller, which) + row.query
        if "coin=" in url:
            priced()
        return send(url, self.body(row, caller), format="multipart" if row.form else "json")


def _sign_up(*_: Any) -> dict[str, Any]:
    return {"email": f"{uuid.uuid4().hex}@example.org", "password": PASSWORD}


def _forgotten(*_: Any) -> dict[str, Any]:
    # Another address each time: one that asks again and again is told to wait.
    return {"email": f"{uuid.uuid4().hex}@example.org"}


def _password(world: World, caller: str) -> dict[str, Any]:
    return {"email": world.user(caller).email, "password": PASSWORD}


def _refresh(world: World, caller: str) -> dict[str, Any]:
    return {"refresh": world.refresh_token(caller)}


def _token(world: World, caller: str) -> dict[str, Any]:
    return {"token": world.refresh_token(caller)}


def _new_password(*_: Any) -> dict[str, Any]:
    return {"old_password": PASSWORD, "new_password": "quite-another-horse-7"}


def _made_up_link(*_: Any) -> dict[str, Any]:
    return {"token": "made-up", "new_password": PASSWORD}


def _product(*_: Any) -> dict[str, Any]:
    sku = f"S-{uuid.uuid4().hex[:12]}"
    return {"name": "A desk", "sku": sku, "description": "Of oak.", "price": "50.00"}


def _picture(*_: Any) -> dict[str, Any]:
    made = io.BytesIO()
    Image.new("RGB", (4, 4)).save(made, "PNG")
    return {"image": SimpleUploadedFile("a.png", made.getvalue(), "image/png")}


def _goods(*_: Any) -> dict[str, Any]:
    rows = f"sku,name,description,price\nS-{uuid.uuid4().hex[:12]},A desk,,5.00\n"
    return {"file": SimpleUploadedFile("goods.csv", rows.encode(), "text/csv")}


def _order(*_: Any) -> dict[str, Any]:
    return order_body(("goods", 1))


def _deposit(*_: Any) -> dict[str, Any]:
    return {"amount": "5.00", "currency": "USD", "payment": {"method": "stripe"}}


def _coins(world: "World", caller: str) -> dict[str, Any]:
    listed("ABAN")
    if caller != "anonymous":
        fund(world.user(caller), 100)
    return {"currency": "ABAN", "amount": "0.01"}


def _flash_sale(*_: Any) -> dict[str, Any]:
    return {"product": ProductFactory(stock=9).slug, "price": "5.00", "allocation": 3} | _window()


def _window(*_: Any) -> dict[str, Any]:
    return {"starts_at": (clock.now() + timedelta(days=1)).isoformat()}


def _schedule(*_: Any) -> dict[str, Any]:
    return {"allocation": 1, "dates": [_window()["starts_at"]]}


def _allowance(*_: Any) -> dict[str, Any]:
    return {"user": str(UserFactory().uid), "reason": "our own shopper"}


def _units(*_: Any) -> dict[str, Any]:
    return {"quantity": 1, "payment": {"method": "stripe"}}


def _just(**body: Any) -> Body:
    return lambda *_: body


A: Final = "/api/v1/auth/"
V: Final = "/api/v1/"
COIN: Final = "?coin=bitcoin"
S: Final = "/api/v1/admin/"

TABLE: Final[dict[Operation, Row]] = {
    ("POST", A + "register/"): Row("bearer of the body", 201, _sign_up),
    ("POST", A + "token/"): Row("active bearer of the body", 200, _password),
    ("POST", A + "token/refresh/"): Row("active bearer of the body", 200, _refresh),
    ("POST", A + "token/verify/"): Row("active bearer of the body", 200, _token),
    ("POST", A + "logout/"): Row("bearer of the body", 204, _refresh),
    ("GET", A + "me/"): Row("signed in"),
    ("PATCH", A + "me/"): Row("signed in", 200, _just(name="Sam")),
    ("POST", A + "password/change/"): Row("signed in", 204, _new_password),
    ("POST", A + "password/reset/"): Row("bearer of the body", 204, _forgotten),
    # The token alone decides, and this one is nobody's.
    ("POST", A + "password/reset/confirm/"): Row("bearer of the body", 400, _made_up_link),
    ("POST", A + "email/verify/"): Row("bearer of the body", 400, _just(token="made-up")),
    ("POST", A + "email/verify/resend/"): Row("signed in", 204),
    #
    ("GET", V + "products/"): Row("anybody"),
    ("GET", V + "products/{slug}/"): Row("anybody"),
    ("GET", V + "categories/"): Row("anybody"),
    ("GET", V + "flash-sales/"): Row("anybody"),
    ("GET", V + "flash-sales/{slug}/"): Row("anybody"),
    ("GET", V + "flash-sales/{slug}/stock/"): Row("anybody"),
    ("GET", V + "flash-sales/{slug}/stream/"): Row("anybody"),
    ("GET", V + "flash-sales/{slug}/leaderboard/"): Row("anybody"),
    ("GET", V + "flash-sales/{slug}/queue/"): Row("signed in"),
    ("POST", V + "flash-sales/{slug}/queue/"): Row("signed in"),
    ("POST", V + "flash-sales/{slug}/purchases/"): Row("signed in", 201, _units),
    #
    ("GET", V + "dashboard/"): Row("anybody"),
    ("GET", V + "tokens/"): Row("anybody"),
    ("GET", V + "market/coins/"): Row("anybody"),
    ("GET", V + "market/stats/"): Row("anybody", query=COIN),
    ("GET", V + "market/deviation/"): Row("anybody", query=COIN),
    ("GET", V + "market/history/"): Row("anybody", query=COIN),
    ("GET", V + "market/stream/"): Row("anybody"),
    ("GET", "/api/stats"): Row("anybody", query=COIN),
    ("GET", "/api/deviation"): Row("anybody", query=COIN),
    ("GET", S + "market/providers/"): Row("staff"),
    ("GET", S + "dashboard/"): Row("staff"),
    #
    ("GET", V + "exchange/currencies/"): Row("signed in"),
    ("GET", V + "exchange/orders/"): Row("signed in"),
    ("POST", V + "exchange/orders/"): Row("signed in", 201, _coins),
    ("GET", V + "exchange/orders/{uid}/"): Row("owner"),
    ("POST", V + "exchange/orders/{uid}/cancel/"): Row("owner"),
    ("GET", S + "exchange/batches/"): Row("staff"),
    ("GET", S + "exchange/batches/{uid}/"): Row("staff"),
    ("POST", S + "exchange/batches/{uid}/retry/"): Row("staff", 202),
    ("POST", S + "exchange/batches/{uid}/give-back/"): Row("staff"),
    ("POST", S + "exchange/batches/{uid}/reconcile/"): Row("staff"),
    #
    ("GET", V + "orders/"): Row("signed in"),
    ("POST", V + "orders/"): Row("signed in", 201, _order),
    ("GET", V + "orders/{number}/"): Row("owner"),
    ("POST", V + "orders/{number}/cancel/"): Row("owner"),
    ("POST", V + "orders/{number}/payments/"): Row("owner", 201, _just(method="stripe")),
    ("GET", V + "payments/"): Row("signed in"),
    ("GET", V + "payments/{uid}/"): Row("owner"),
    ("POST", V + "payments/{uid}/confirm/"): Row(
        "owner", 202, _just(payment_method="pm_card_visa")
    ),
    ("POST", V + "payments/{uid}/transactions/"): Row(
        "owner", 202, _just(tx_hash="0x" + "ab" * 32), order="coins"
    ),
    ("GET", V + "wallet/"): Row("signed in"),
    ("GET", V + "wallet/entries/"): Row("signed in"),
    ("POST", V + "wallet/deposits/"): Row("signed in", 201, _deposit),
    ("GET", V + "purchases/"): Row("signed in"),
    ("GET", V + "purchases/items/"): Row("signed in"),
    ("GET", V + "purchases/summary/"): Row("signed in"),
    #
    ("GET", S + "products/"): Row("staff"),
    ("POST", S + "products/"): Row("staff", 201, _product),
    ("GET", S + "products/{slug}/"): Row("staff"),
    ("PUT", S + "products/{slug}/"): Row("staff", 200, _product),
    ("PATCH", S + "products/{slug}/"): Row("staff", 200, _just(price="9.50")),
    ("DELETE", S + "products/{slug}/"): Row("staff", 204),
    ("GET", S + "products/{slug}/price-history/"): Row("staff"),
    ("POST", S + "products/{slug}/image/"): Row("staff", 200, _picture, form=True),
    ("POST", S + "products/import/"): Row("staff", 201, _goods, form=True),
    ("GET", S + "exports/"): Row("staff"),
    ("POST", S + "exports/"): Row("staff", 202, _just(kind="products")),
    ("GET", S + "exports/{uid}/"): Row("staff"),
    ("GET", S + "exports/{uid}/file/"): Row("staff"),
    ("GET", S + "products/{slug}/stock/"): Row("staff"),
    ("POST", S + "products/{slug}/stock/"): Row("staff", 201, _just(delta=1, reason="found")),
    ("GET", S + "flash-sales/"): Row("staff"),
    ("POST", S + "flash-sales/"): Row("staff", 201, _flash_sale),
    ("GET", S + "flash-sales/{slug}/"): Row("staff"),
    ("PATCH", S + "flash-sales/{slug}/"): Row("staff", 200, _just(price="4.50")),
    ("GET", S + "flash-sales/{slug}/runs/"): Row("staff"),
    ("POST", S + "flash-sales/{slug}/runs/"): Row("staff", 201, _window),
    ("POST", S + "flash-sales/{slug}/end/"): Row("staff"),
    ("GET", S + "risk/allowances/"): Row("staff"),
    ("POST", S + "risk/allowances/"): Row("staff", 201, _allowance),
    ("DELETE", S + "risk/allowances/{uid}/"): Row("staff", 204),
    ("GET", S + "flash-sales/{slug}/schedules/"): Row("staff"),
    ("POST", S + "flash-sales/{slug}/schedules/"): Row("staff", 201, _schedule),
    ("GET", S + "flash-sales/{slug}/schedules/{uid}/"): Row("staff"),
    ("PATCH", S + "flash-sales/{slug}/schedules/{uid}/"): Row("staff", 200, _just(active=False)),
    #
    ("GET", S + "orders/"): Row("staff"),
    ("GET", S + "orders/{number}/"): Row("staff"),
    ("POST", S + "orders/{number}/fulfil/"): Row("staff", order="paid"),
    ("GET", S + "payments/"): Row("staff"),
    ("GET", S + "payments/{uid}/"): Row("staff"),
    ("GET", S + "audit-log/"): Row("staff"),
    ("POST", S + "payments/{uid}/refund/"): Row("staff", 201, _just(reason="broken"), order="paid"),
    ("POST", S + "payments/{uid}/resolve/"): Row(
        "staff", 200, _just(resolution="accept", note="near enough"), order="underpaid"
    ),
    ("GET", S + "webhook-events/"): Row("staff"),
    ("GET", S + "webhook-events/{event_id}/"): Row("staff"),
    ("POST", S + "webhook-events/{event_id}/replay/"): Row("staff", 202),
    ("GET", S + "ledger/trial-balance/"): Row("staff"),
}
