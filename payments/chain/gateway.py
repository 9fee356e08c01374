"""The only place that talks to a chain: JSON-RPC 2.0 over HTTP, with any Ethereum node.

Never call any of this inside a transaction. Every call may raise Unreachable or BadAnswer (ask
again later) and RpcRefused (asking again gives the same). All calls are tried three times: reads
change nothing, and the hash of a transaction is known before it is sent.
"""

import functools
import itertools
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
import stamina
from django.conf import settings

from common import outside
from payments.chain.errors import BadAnswer, RpcRefused, Unreachable, WrongChain
from payments.chain.rules import answers, transactions, transfers
from payments.chain.rules.answers import Block, Log, Receipt, Transaction
from payments.chain.rules.hexes import data, quantity, text, to_quantity
from payments.chain.rules.transfers import Funds

ATTEMPTS: Final = 3
# As many as every provider takes in one body.
BATCH: Final = 100
LARGEST_ANSWER: Final = 16 * 1024 * 1024
# Internal error; limit exceeded (EIP-1474): another try may go well.
_PASSING: Final = {-32603, -32005}

_ids = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    params: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction may offer now, in wei a unit of gas: the base fee may double meanwhile."""

    tip: int
    max_fee: int


@functools.lru_cache(maxsize=4)
def _client(timeout: float) -> httpx.Client:
    # Redirects are not followed: an answer from elsewhere is not the node's.
    return httpx.Client(timeout=timeout, limits=httpx.Limits(max_keepalive_connections=8))


def call(method: str, *params: Any) -> Any:
    """The result of one call, unread."""
    [answer] = batch([Call(method, params)])
    return _result(answer)


def batch(calls: Sequence[Call]) -> list[Any]:
    """The results in the order of the calls; a refusal stands there as an RpcRefused.

    Raises ValueError for more than 100 calls.
    """
    if len(calls) > BATCH:
        raise ValueError(f"more than {BATCH} calls in a batch")
    if not calls:
        return []
    for attempt in stamina.retry_context(
        on=Unreachable, attempts=ATTEMPTS, wait_initial=0.1, wait_max=1.0, timeout=None
    ):
        with attempt:
            return _ask(calls)
    raise AssertionError("unreachable")  # pragma: no cover


def _ask(calls: Sequence[Call]) -> list[Any]:
    sent = {next(_ids): one for one in calls}
    bodies = [
        {"jsonrpc": "2.0", "id": number, "method": one.method, "params": list(one.params)}
        for number, one in sent.items()
    ]
    answer = _post(bodies[0] if len(bodies) == 1 else bodies)
    found = dict(_numbered(answer if isinstance(answer, list) else [answer]))
    # A refusal of the whole batch comes as one object with no id.
    if None in found:
        _result(found[None])
    if set(found) != set(sent):
        raise BadAnswer("other calls are answered than were asked")
    return [found[number] for number in sent]


def _post(body: Any) -> Any:
    try:
        with (
            outside.calling("chain", "rpc"),
            _client(settings.CHAIN_TIMEOUT_SECONDS).stream(
                "POST", settings.CHAIN_RPC_URL, json=body, headers=outside.headers()
            ) as response,
        ):
            return _json(response.status_code, _read(response))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(type(error).__name__) from error


def _read(response: httpx.Response) -> bytes:
    found = bytearray()
    for part in response.iter_bytes():
        found += part
        if len(found) > LARGEST_ANSWER:
            raise BadAnswer("the answer is too large")
    return bytes(found)


def _json(status: int, body: bytes) -> Any:
    if status == 429 or status >= 500:
        raise Unreachable(f"HTTP {status}")
    try:
        # Some nodes answer 400 with a proper error inside.
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"HTTP {status}, not JSON") from error


def _numbered(found: list[Any]) -> Iterator[tuple[int | None, Any]]:
    for one in found:
        if not isinstance(one, dict) or one.get("jsonrpc") != "2.0":
            raise BadAnswer("not JSON-RPC 2.0")
        number = one.get("id")
        # `True` is an int to Python, and no id of ours.
        if type(number) is not int and number is not None:
            raise BadAnswer("an id that was not asked for")
        yield number, _outcome(one)


def _outcome(one: dict[str, Any]) -> Any:
    """The result, or the error as an RpcRefused; raises what another try may mend."""
    if ("error" in one) == ("result" in one):
        # Some nodes send `"error": null` beside a result.
        if one.get("error") is None and "result" in one:
            return one["result"]
        raise BadAnswer("neither a result nor an error")
    if "result" in one:
        return one["result"]
    error = one["error"]
    if not isinstance(error, dict) or type(error.get("code")) is not int:
        raise BadAnswer("an error without a code")
    refused = RpcRefused(error["code"], str(error.get("message", ""))[:500])
    if refused.code in _PASSING:
        raise Unreachable(str(refused))
    return refused


def _result(answer: Any) -> Any:
    if isinstance(answer, RpcRefused):
        raise answer
    return answer


_quantity = answers.reading(quantity)
_bytes = answers.reading(data)
_hash = answers.reading(answers.hash_of)
_block = answers.reading(answers.block)
_transaction = answers.reading(answers.transaction)
_receipt = answers.reading(answers.receipt)
_logs = answers.reading(answers.logs)


def chain_id() -> int:
    return _quantity(call("eth_chainId"))


def chain_verify() -> None:
    """Raises WrongChain where the node serves another chain than CHAIN_ID names."""
    found = chain_id()
    if found != settings.CHAIN_ID:
        raise WrongChain(f"CHAIN_ID is {settings.CHAIN_ID}, the node says {found}")


def head_number() -> int:
    return _quantity(call("eth_blockNumber"))


def block(which: int | str) -> Block | None:
    """By number, hash or name (`latest`, `safe`, `finalized`); None where there is none."""
    if isinstance(which, str) and which.startswith("0x"):
        answer = call("eth_getBlockByHash", which, False)
    else:
        answer = call("eth_getBlockByNumber", _tag(which), False)
    return None if answer is None else _block(answer)


def blocks(first: int, last: int) -> list[Block]:
    """The blocks of these heights, ascending; shorter where the chain ends before. At most 100."""
    calls = [
        Call("eth_getBlockByNumber", (to_quantity(number), False))
        for number in range(first, last + 1)
    ]
    found = [_result(answer) for answer in batch(calls)]
    return [_block(answer) for answer in itertools.takewhile(_is_there, found)]


def blocks_paying(
    first: int, last: int, recipients: Collection[str]
) -> list[tuple[Block, tuple[str, ...]]]:
    """Each block with the hashes of its transactions to these addresses; at most 100 blocks.

    Shorter where the chain ends before. A transaction may have failed: see `inclusion`.
    """
    wanted = {address.lower() for address in recipients}
    calls = [
        Call("eth_getBlockByNumber", (to_quantity(number), True))
        for number in range(first, last + 1)
    ]
    found = (_result(answer) for answer in batch(calls))
    read = answers.reading(functools.partial(answers.block_paying, recipients=wanted))
    return [read(one) for one in itertools.takewhile(_is_there, found)]


def _is_there(answer: Any) -> bool:
    return answer is not None


def transaction(tx_hash: str) -> Transaction | None:
    """None for a hash that the node does not know (yet, or any more)."""
    answer = call("eth_getTransactionByHash", tx_hash)
    return None if answer is None else _transaction(answer)


def receipt(tx_hash: str) -> Receipt | None:
    """None until it is in a block."""
    answer = call("eth_getTransactionReceipt", tx_hash)
    return None if answer is None else _receipt(answer)


def inclusion(tx_hash: str) -> tuple[Transaction | None, Receipt | None]:
    """Both in one call, for `transfers.proven`."""
    names = ("eth_getTransactionByHash", "eth_getTransactionReceipt")
    found, proof = (_result(one) for one in batch([Call(name, (tx_hash,)) for name in names]))
    return (
        None if found is None else _transaction(found),
        None if proof is None else _receipt(proof),
    )


def token_transfers(token: str, *, to: Sequence[str], first: int, last: int) -> tuple[Log, ...]:
    """The token's Transfer events to any of these addresses, in blocks first to last."""
    recipients = [transfers.address_topic(address) for address in to]
    topics = [transfers.TRANSFERRED, None, recipients]
    wanted = {
        "address": token,
        "topics": topics,
        "fromBlock": to_quantity(first),
        "toBlock": to_quantity(last),
    }
    return _logs(call("eth_getLogs", wanted))


def balance(address: str, at: int | str = "latest") -> int:
    """Wei, after a block."""
    return _quantity(call("eth_getBalance", address, _tag(at)))


def balances(addresses: Sequence[str]) -> list[int]:
    """Wei of each, now; at most 100 addresses."""
    calls = [Call("eth_getBalance", (address, "latest")) for address in addresses]
    return [_quantity(_result(answer)) for answer in batch(calls)]


def token_balance(token: str, owner: str, at: int | str = "latest") -> int:
    """Base units of the token. BadAnswer where there is no such contract."""
    return _word(call("eth_call", *_balance_params(token, owner), _tag(at)))


def token_decimals(token: str) -> int:
    found = _word(call("eth_call", {"to": token, "data": text(transfers.DECIMALS)}, "latest"))
    if found > 255:
        raise BadAnswer("more decimals than a token can have")
    return found


def nonce(address: str, at: str = "latest") -> int:
    """The next nonce; with `pending` after what waits in the pool."""
    return _quantity(call("eth_getTransactionCount", address, at))


def funds(sender: str, token: str | None = None) -> Funds:
    """What `transfers.check` needs to know of a sender, in one call."""
    calls = [
        Call("eth_getTransactionCount", (sender, "latest")),
        Call("eth_getBalance", (sender, "latest")),
    ]
    if token is not None:
        calls.append(Call("eth_call", (*_balance_params(token, sender), "latest")))
    used, coins, *tokens = (_result(answer) for answer in batch(calls))
    return Funds(_quantity(used), _quantity(coins), _word(tokens[0]) if tokens else 0)


def fees() -> Fees:
    tip, head = (
        _result(answer)
        for answer in batch(
            [
                Call("eth_maxPriorityFeePerGas"),
                Call("eth_getBlockByNumber", ("latest", False)),
            ]
        )
    )
    offered = _quantity(tip)
    return Fees(offered, 2 * _block(head).base_fee + offered)


def estimate_gas(*, sender: str, to: str, value: int = 0, payload: bytes = b"") -> int:
    """RpcRefused where the transaction would fail."""
    asked = {"from": sender, "to": to, "value": to_quantity(value), "data": text(payload)}
    return _quantity(call("eth_estimateGas", asked))


def send_raw(raw: bytes) -> str:
    """Hand a signed transaction to the node; its hash. Safe to repeat: the hash is the same.

    RpcRefused where the node does not take it, unless it knows it already.
    """
    signed = transactions.decode(raw)
    try:
        found = _hash(call("eth_sendRawTransaction", text(raw)))
    except RpcRefused:
        # An earlier try whose answer was lost: the pool knows it, or its nonce is used by itself.
        if transaction(signed.hash) is None:
            raise
        return signed.hash
    if found != signed.hash:
        raise BadAnswer("the node names another hash than the transaction's")
    return found


def _tag(which: int | str) -> str:
    return to_quantity(which) if isinstance(which, int) else which


def _balance_params(token: str, owner: str) -> tuple[dict[str, str]]:
    return ({"to": token, "data": text(transfers.balance_call(owner))},)


def _word(answer: Any) -> int:
    found = _bytes(answer)
    if len(found) != 32:
        raise BadAnswer("not a word of 32 bytes")
    return int.from_bytes(found, "big")
