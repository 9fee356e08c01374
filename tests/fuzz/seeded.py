"""A shop with something of everything in it, and keys of its things for the made-up calls."""

from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from accounts.credentials import tokens
from common import clock
from payments.checkout.services import deposit_open
from tests.api.access_table import TABLE, Row, World
from tests.factories.events import stored_event
from tests.factories.exports import exported
from tests.factories.flash import daily, live_run
from tests.factories.market import priced
from tests.factories.risk import allowed
from tests.factories.shop import CategoryFactory, ProductFactory

STATES: Final = ("open", "paid", "underpaid")
# A success takes from these callers the means of a second one: a family, an old password.
SPENDS_CALLER: Final = ("/auth/password/", "/auth/logout/", "/auth/email/")
NEEDS_TOKEN: Final = {
    "/api/v1/auth/password/reset/confirm/": tokens.RESET,
    "/api/v1/auth/email/verify/": tokens.VERIFY,
}


class Seeded:
    """The shop in which one operation is called again and again, and what succeeds there."""

    def __init__(self, method: str, path: str) -> None:
        self.path = path
        self.row: Row = TABLE[method, path]
        self.caller = "staff" if self.row.who == "staff" else "customer"
        self.world = World()
        self.category = CategoryFactory().slug
        # Of a schedule in the path, both the sale and the schedule must be there together.
        self.sale: Any = (
            live_run(units=5, stock=50, ends=True).sale if "schedules" in path else None
        )
        if method == "GET" and "{" not in path:
            self._fill()

    def _fill(self) -> None:
        user = self.world.user(self.caller)
        for state in (*STATES, "paid"):
            self.world.placed(user, state)
        _deposit(user)
        live_run(units=2)
        live_run(units=2)
        allowed()
        allowed()
        stored_event()
        stored_event()
        priced()

    def token(self, caller: str) -> str | None:
        """What `caller` signs in with; nothing for nobody."""
        credentials = self.world.client(caller)._credentials
        return credentials.get("HTTP_AUTHORIZATION")

    def next_call(self) -> None:
        """Other callers, where one call is all that they are good for."""
        if any(part in self.path for part in SPENDS_CALLER):
            self.world = World(self.world.goods)

    def key(self, name: str, state: str) -> str:
        """The path parameter of an object in `state`, of those whose caller may see it."""
        if "flash-sales/{slug}" in self.path:
            sale = self.sale or live_run(units=5, stock=50, ends=True).sale
            return sale.slug if name == "slug" else str(daily(sale).uid)
        if "exports/" in self.path:
            return str(exported(self.world.user(self.caller)).uid)
        if "allowances/" in self.path:
            return str(allowed().uid)
        if "exchange/" in self.path:
            return str(self.world.coins_of(self.path, self.world.user(self.caller)))
        if name == "slug":
            return ProductFactory(stock=5).slug
        if name == "event_id":
            return stored_event().event_id
        user = self.world.user(self.caller)
        if self.row.order == "coins":
            # No card's payment has transactions.
            state = "coins"
        if state == "deposit" and name == "uid":
            return str(
                deposit_open(user_id=user.pk, method="stripe", amount=500, currency="USD").uid
            )
        made = self.world.placed(user, "open" if state == "deposit" else state)
        return made.order.number if name == "number" else str(made.payment.uid)

    def body(self) -> dict[str, Any]:
        """A body that succeeds."""
        made = dict(self.world.body(self.row, self.caller) or {})
        if self.path in NEEDS_TOKEN:
            user, until = self.world.user(self.caller), timedelta(hours=1)
            purpose = NEEDS_TOKEN[self.path]
            made["token"] = tokens.make(purpose, user, now=clock.now(), lifetime=until)
        for name in ("image", "file"):
            if name in made:
                made[name] = made[name].read()
        return made

    def query(self) -> dict[str, Any]:
        """Values that the shop has something for, by parameter."""
        known = {"page": 1, "category": self.category, "product": "goods", "cursor": self._cursor()}
        known |= {"coin": "bitcoin", "token": "ETH"}
        return {name: value for name, value in known.items() if value is not None}

    def _cursor(self) -> str | None:
        if "{" in self.path:
            return None
        first = self.world.client(self.caller).get(self.path, {"page_size": 1}).json()
        following = parse_qs(urlsplit(first.get("next") or "").query)
        return following.get("cursor", [None])[0]


def _deposit(user: Any) -> Any:
    return deposit_open(user_id=user.pk, method="stripe", amount=500, currency="USD")
