"""JSON-RPC 2.0: one call or a batch in, answers out. Source: https://www.jsonrpc.org/specification"""

import json
import logging
from typing import Any, Final, NoReturn

from common.errors import Busy
from payments.chain.node import methods
from payments.chain.node.errors import (
    InternalError,
    InvalidParams,
    InvalidRequest,
    LimitExceeded,
    ParseError,
    RpcError,
)

MOST_CALLS: Final = 100
LONGEST_ID: Final = 256

logger = logging.getLogger(__name__)


def answer(body: bytes) -> Any:
    """What to send back as JSON; None where every call was a notification."""
    try:
        asked = _parsed(body)
        if isinstance(asked, list):
            return _batch(asked)
    except RpcError as error:
        return _failed(error)
    return _one(asked)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ParseError from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _batch(asked: list[Any]) -> list[Any] | None:
    if not asked:
        raise InvalidRequest("empty batch")
    if len(asked) > MOST_CALLS:
        raise InvalidRequest("batch too large")
    return [found for found in map(_one, asked) if found is not None] or None


def _one(asked: Any) -> dict[str, Any] | None:
    """None for a notification, whatever comes of it."""
    if not _is_call(asked):
        return _failed(InvalidRequest())
    found: dict[str, Any]
    try:
        found = {"result": _run(asked["method"], asked.get("params"))}
    except RpcError as error:
        found = {"error": _error(error)}
    return {"jsonrpc": "2.0", "id": asked["id"], **found} if "id" in asked else None


def _is_call(asked: Any) -> bool:
    if not isinstance(asked, dict) or asked.get("jsonrpc") != "2.0":
        return False
    return isinstance(asked.get("method"), str) and _is_id(asked.get("id"))


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_ID
    return value is None or type(value) in (int, float)


def _run(method: str, given: Any) -> Any:
    if given is None:
        given = []
    if not isinstance(given, list):
        raise InvalidParams("non-array args")
    try:
        return methods.call(method, given)
    except RpcError:
        raise
    except Busy as error:
        raise LimitExceeded("the mock chain is busy; try again") from error
    except Exception as error:
        logger.exception("mockchain.failed")
        raise InternalError from error


def _failed(error: RpcError) -> dict[str, Any]:
    """What is no call at all has no id."""
    return {"jsonrpc": "2.0", "id": None, "error": _error(error)}


def _error(error: RpcError) -> dict[str, Any]:
    found: dict[str, Any] = {"code": error.code, "message": error.message}
    return found if error.data is None else {**found, "data": error.data}
