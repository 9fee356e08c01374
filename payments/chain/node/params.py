"""What callers send beside a method's name, read strictly; anything else is -32602."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from payments.chain.node import rules, selectors
from payments.chain.node.errors import InvalidParams, Rejected
from payments.chain.rules import hexes
from payments.chain.rules.transactions import Unsigned

T = TypeVar("T")
NAMES: Final = ("latest", "pending", "safe", "finalized", "earliest")
# How far behind the head they are.
_BEHIND: Final = {"latest": 0, "pending": 0, "safe": 32, "finalized": 64}
_CALL: Final = {
    *("from", "to", "gas", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas", "value"),
    *("data", "input", "nonce", "chainId", "type", "accessList"),
}


def invalid(place: int, why: str) -> InvalidParams:
    return InvalidParams(f"invalid argument {place}: {why}")


def _read(place: int, parse: Callable[[Any], T], value: Any) -> T:
    try:
        return parse(value)
    except ValueError as error:
        raise invalid(place, str(error)) from error


def at_least(params: list[Any], count: int, most: int | None = None) -> None:
    if len(params) < count:
        raise InvalidParams(f"missing value for required argument {len(params)}")
    if len(params) > (most if most is not None else count):
        raise InvalidParams(f"too many arguments, want at most {most or count}")


def address(params: list[Any], place: int) -> str:
    """In lower case; like geth's, this node does not look at the checksum."""
    return hexes.text(_read(place, lambda value: hexes.data(value, size=20), params[place]))


def hash_(params: list[Any], place: int) -> str:
    return hexes.text(_read(place, lambda value: hexes.data(value, size=32), params[place]))


def raw(params: list[Any], place: int) -> bytes:
    return _read(place, hexes.data, params[place])


def number(params: list[Any], place: int, default: int | None = None) -> int:
    """A quantity; anvil's own methods take a JSON number as well."""
    if place >= len(params) and default is not None:
        return default
    value = params[place]
    if type(value) is int and value >= 0:
        return value
    return _read(place, hexes.quantity, value)


def flag(params: list[Any], place: int) -> bool:
    value = params[place] if place < len(params) else False
    if not isinstance(value, bool):
        raise invalid(place, "not a boolean")
    return value


def height(value: Any, place: int) -> int:
    """A block's number or name as a number, which may be beyond the head."""
    if value == "earliest":
        return 0
    if isinstance(value, str) and value in _BEHIND:
        return max(0, selectors.head_number() - _BEHIND[value])
    return _read(place, hexes.quantity, value)


def newest(params: list[Any], place: int) -> None:
    """Refuse every block but the newest: no other state is kept."""
    value = params[place] if place < len(params) else "latest"
    if isinstance(value, dict):
        value = value.get("blockNumber", "earliest")
    if value in ("latest", "pending"):
        return
    head, asked = selectors.head_number(), height(value, place)
    if asked > head:
        raise Rejected("header not found")
    if asked < head:
        raise Rejected("missing trie node: the mock chain keeps the newest state only")


def call(params: list[Any]) -> tuple[str, Unsigned]:
    """Sender and body of a call that is not signed."""
    value = params[0]
    if not isinstance(value, dict) or not set(value) <= _CALL:
        raise invalid(0, "not a transaction object")
    to = value.get("to")
    body = Unsigned(
        chain_id=0,
        nonce=0,
        tip=0,
        max_fee=0,
        gas=_amount(value, "gas", rules.GAS_LIMIT),
        to=None if to is None else address([to], 0),
        value=_amount(value, "value", 0),
        data=_payload(value),
    )
    return address([value.get("from", rules.NOBODY)], 0), body


def _amount(value: dict[str, Any], name: str, default: int) -> int:
    return number([value[name]], 0) if value.get(name) is not None else default


def _payload(value: dict[str, Any]) -> bytes:
    given = [value[name] for name in ("input", "data") if value.get(name) is not None]
    return raw(given, 0) if given else b""


def log_filter(params: list[Any], most: int) -> selectors.LogFilter:
    """Raises InvalidParams for a range of more than `most` blocks."""
    value = params[0]
    if not isinstance(value, dict):
        raise invalid(0, "not a filter")
    first, last = _range(value)
    if last - first >= most:
        raise InvalidParams(f"exceed maximum block range: {most}")
    given = value.get("topics") or []
    if not isinstance(given, list) or len(given) > 4:
        raise invalid(0, "topics are a list of at most four")
    return selectors.LogFilter(
        first, last, _some(value.get("address"), 20), tuple(_some(one, 32) for one in given)
    )


def _range(value: dict[str, Any]) -> tuple[int, int]:
    if "blockHash" not in value:
        last = height(value.get("toBlock") or "latest", 0)
        return height(value.get("fromBlock") or "latest", 0), min(last, selectors.head_number())
    if "fromBlock" in value or "toBlock" in value:
        raise invalid(0, "cannot specify both BlockHash and FromBlock/ToBlock")
    found = selectors.block_by_hash(hash_([value["blockHash"]], 0))
    if found is None:
        raise Rejected("unknown block")
    return found.number, found.number


def _some(value: Any, size: int) -> frozenset[str] | None:
    """One value or a list of them; None and an empty list are any."""
    if value is None or value == []:
        return None
    many = value if isinstance(value, list) else [value]
    if len(many) > 1000:
        raise invalid(0, "more than 1000 alternatives")
    read = (_read(0, lambda one: hexes.data(one, size=size), one) for one in many)
    return frozenset(hexes.text(one) for one in read)
