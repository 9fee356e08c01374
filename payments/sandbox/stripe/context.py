"""What a call works with: the store, its parameters, and the events it gives rise to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from payments.sandbox.stripe import errors, events, objects
from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.params import merge_metadata
from payments.sandbox.stripe.store import Store

NAMES = {"payment_method": "PaymentMethod"}
EXPANDABLE = {
    "customer": "customer",
    "payment_method": "payment_method",
    "latest_charge": "charge",
    "payment_intent": "payment_intent",
    "charge": "charge",
    "balance_transaction": "balance_transaction",
    "failure_balance_transaction": "balance_transaction",
    "source": "charge",
}


@dataclass
class Context:
    """One call inside one transaction."""

    store: Store
    base_url: str
    settle_seconds: float
    request_id: str | None = None
    idempotency_key: str | None = None
    params: JSON = field(default_factory=dict)

    @property
    def now(self) -> int:
        return int(self.store.clock())

    def require(self, kind: str, id_: str, param: str = "id", status: int = 404) -> JSON:
        """The object, or StripeError resource_missing."""
        found = self.store.get(kind, id_)
        if found is None:
            raise errors.missing_object(NAMES.get(kind, kind), id_, param=param, status=status)
        return found

    def emit(self, type_: str, object_: JSON, previous: JSON | None = None) -> None:
        """An event of this call, sent once the transaction is committed."""
        request = {"id": self.request_id, "idempotency_key": self.idempotency_key}
        events.publish(self.store, objects.event(type_, object_, previous, self.now, request))

    def change_metadata(self, object_: JSON) -> None:
        changes = self.params.get("metadata", {})
        object_["metadata"] = merge_metadata(object_["metadata"], changes)

    def copy_params(self, object_: JSON, *names: str) -> None:
        for name in names:
            if name in self.params:
                object_[name] = self.params[name]

    def page(self, kind: str, url: str, where: Mapping[str, str | None]) -> JSON:
        """A list answer, filtered by `where` (None leaves a filter out) and paged."""
        for name in ("starting_after", "ending_before"):
            if cursor := self.params.get(name):
                self.require(kind, cursor, name, 400)
        data, has_more = self.store.find(
            kind,
            {name: value for name, value in where.items() if value is not None},
            created=self.params.get("created"),
            limit=self.params.get("limit", 10),
            after=self.params.get("starting_after"),
            before=self.params.get("ending_before"),
        )
        return objects.page(url, data, has_more)

    def expanded(self, answer: JSON) -> JSON:
        """The answer with `expand[]` done. Raises StripeError 400 for what cannot expand."""
        for path in self.params.get("expand", []):
            self._expand(answer, path.split("."), path)
        return answer

    def _expand(self, object_: JSON, parts: list[str], path: str) -> None:
        head, rest = parts[0], parts[1:]
        if head == "data" and object_.get("object") == "list" and rest:
            for item in object_["data"]:
                self._expand(item, rest, path)
            return
        if head == "refunds" and object_.get("object") == "charge":
            object_[head] = self._refunds(object_)
        elif head in EXPANDABLE and head in object_:
            self._expand_one(object_, head)
        else:
            raise errors.invalid(f"This property cannot be expanded ({path}).", param="expand")
        if rest and object_[head] is not None:
            self._expand(object_[head], rest, path)

    def _expand_one(self, object_: JSON, name: str) -> None:
        value = object_[name]
        if isinstance(value, str):
            found = self.store.get(EXPANDABLE[name], value)
            # A balance transaction's source is a charge or a refund.
            object_[name] = found or self.store.get("refund", value) or value

    def _refunds(self, charge: JSON) -> JSON:
        data, more = self.store.find("refund", {"charge": charge["id"]}, limit=10)
        return objects.page(f"/v1/charges/{charge['id']}/refunds", data, more)
