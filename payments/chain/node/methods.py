"""The methods of the mock chain by name. Each gets the list of parameters and returns JSON.

Source: https://ethereum.github.io/execution-apis/ and, for `evm_` and `anvil_`, Foundry's book.
"""

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings

from payments.chain.node import params, rules, selectors, serializers, services
from payments.chain.node.errors import MethodNotFound, Rejected, Reverted
from payments.chain.node.models import MockBlock, MockLog
from payments.chain.rules.hexes import text

Params = list[Any]
MOST_HISTORY: Final = 1024
MOST_RANGE: Final = 10_000


def call(method: str, given: Params) -> Any:
    """Raises RpcError."""
    if method not in METHODS:
        raise MethodNotFound(f"the method {method[:100]} does not exist/is not available")
    least, most, handler = METHODS[method]
    params.at_least(given, least, most)
    return handler(given)


def _chain_id(_: Params) -> str:
    return hex(settings.CHAIN_ID)


def _block_number(_: Params) -> str:
    return hex(selectors.head_number())


def _balance(given: Params) -> str:
    params.newest(given, 1)
    return hex(selectors.account(params.address(given, 0)).balance)


def _nonce(given: Params) -> str:
    owner = params.address(given, 0)
    if given[1:] == ["pending"]:
        return hex(selectors.next_nonce(owner))
    params.newest(given, 1)
    return hex(selectors.account(owner).nonce)


def _code(given: Params) -> str:
    return rules.TOKEN_CODE if rules.is_token(params.address(given, 0)) else "0x"


def _next_base_fee() -> int:
    head = selectors.head_block()
    return rules.next_base_fee(head.base_fee, head.gas_used)


def _gas_price(_: Params) -> str:
    return hex(_next_base_fee() + rules.USUAL_TIP)


def _tip(_: Params) -> str:
    return hex(rules.USUAL_TIP)


def _fee_history(given: Params) -> dict[str, Any]:
    last = params.height(given[1], 1)
    if last > selectors.head_number():
        raise Rejected("request beyond head block")
    count = min(max(params.number(given, 0), 1), MOST_HISTORY, last + 1)
    found = selectors.blocks(last - count + 1, last)
    fees = [one.base_fee for one in found]
    following = rules.next_base_fee(fees[-1], found[-1].gas_used)
    answer = {
        "oldestBlock": hex(found[0].number),
        "baseFeePerGas": [hex(fee) for fee in [*fees, following]],
        "gasUsedRatio": [one.gas_used / rules.GAS_LIMIT for one in found],
    }
    percentiles = given[2] if len(given) > 2 else None
    return answer | ({"reward": _rewards(found, percentiles)} if percentiles else {})


def _rewards(found: list[MockBlock], percentiles: Any) -> list[list[str]]:
    """The tips of each block, in the order of their size; a block without any has zeros."""
    if not isinstance(percentiles, list) or len(percentiles) > 100:
        raise params.invalid(2, "not a list of percentiles")
    if not all(type(one) in (int, float) and 0 <= one <= 100 for one in percentiles):
        raise params.invalid(2, "a percentile is from 0 to 100")
    included = selectors.transactions_of(found)
    return [
        [hex(_percentile(sorted(one.price - block.base_fee for one in included[block.pk]), p))
         for p in percentiles]
        for block in found
    ]  # fmt: skip


def _percentile(tips: list[int], percentile: float) -> int:
    return tips[min(int(len(tips) * percentile / 100), len(tips) - 1)] if tips else 0


def _estimate_gas(given: Params) -> str:
    """Raises Reverted or Rejected where the transaction would fail."""
    sender, body = params.call(given)
    owner = selectors.account(sender)
    if body.to is None:
        raise Rejected("contract creation is not supported by the mock chain")
    if body.value > owner.balance:
        raise Rejected("insufficient funds for transfer")
    if rules.is_token(body.to):
        move = rules.token_move(body.data)
        if body.value or move is None or move.amount > owner.tokens:
            raise Reverted(data="0x")
    return hex(rules.needed_gas(body))


def _call(given: Params) -> str:
    params.newest(given, 1)
    sender, body = params.call(given)
    if not rules.is_token(body.to):
        return "0x"
    if (move := rules.token_move(body.data)) is not None:
        if move.amount > selectors.token_balance(sender) or body.value:
            raise Reverted(data="0x")
        return text((1).to_bytes(32, "big"))
    holder = text(body.data[16:36])
    balances = {holder: selectors.token_balance(holder)}
    return text(rules.token_view(body.data, balances, selectors.token_supply()))


def _send_raw(given: Params) -> str:
    return services.transaction_send(params.raw(given, 0))


def _transaction(given: Params) -> dict[str, Any] | None:
    found = selectors.transaction(params.hash_(given, 0))
    return None if found is None else serializers.transaction(found, found.block)


def _receipt(given: Params) -> dict[str, Any] | None:
    found = selectors.transaction(params.hash_(given, 0))
    if found is None or found.block is None:
        return None
    logs = selectors.logs_of(found)
    return serializers.receipt(found, found.block, logs, selectors.gas_before(found))


def _block_by_number(given: Params) -> dict[str, Any] | None:
    whole = params.flag(given, 1)
    return _block(selectors.block(params.height(given[0], 0)), whole=whole)


def _block_by_hash(given: Params) -> dict[str, Any] | None:
    whole = params.flag(given, 1)
    return _block(selectors.block_by_hash(params.hash_(given, 0)), whole=whole)


def _block(found: MockBlock | None, *, whole: bool) -> dict[str, Any] | None:
    if found is None:
        return None
    included = selectors.transactions_of([found])[found.pk]
    return serializers.block(found, included, _logs_between(found.pk, found.pk), whole=whole)


def _logs_between(first: int, last: int) -> list[MockLog]:
    return selectors.logs(selectors.LogFilter(first, last), token=rules.TOKEN)


def _logs(given: Params) -> list[dict[str, Any]]:
    wanted = params.log_filter(given, MOST_RANGE)
    return [serializers.log(one) for one in selectors.logs(wanted, token=rules.TOKEN)]


def _version(_: Params) -> str:
    return str(settings.CHAIN_ID)


def _client_version(_: Params) -> str:
    return "Souk/mockchain"


def _evm_mine(given: Params) -> str:
    """Of one block; anvil's `{"timestamp", "blocks"}` or a time alone."""
    options = given[0] if given else None
    if not isinstance(options, dict):
        options = {} if options is None else {"timestamp": options}
    timestamp, blocks = options.get("timestamp"), options.get("blocks")
    services.blocks_mine(
        count=params.number([1 if blocks is None else blocks], 0),
        timestamp=None if timestamp is None else params.number([timestamp], 0),
    )
    return "0x0"


def _anvil_mine(given: Params) -> None:
    services.blocks_mine(count=params.number(given, 0, default=1))


def _set_balance(given: Params) -> None:
    services.balance_set(address=params.address(given, 0), wei=params.number(given, 1))


def _deal_token(given: Params) -> None:
    if not rules.is_token(params.address(given, 1)):
        raise Rejected("there is no such token")
    services.tokens_set(address=params.address(given, 0), amount=params.number(given, 2))


def _reorg(given: Params) -> None:
    if given[1:] not in ([], [[]]):
        raise params.invalid(1, "the mock chain puts no transactions into the new blocks")
    services.chain_reorg(params.number(given, 0))


def _drop(given: Params) -> str | None:
    return services.transaction_drop(params.hash_(given, 0))


def _fail(given: Params) -> bool:
    return services.transaction_fail(params.hash_(given, 0))


# The fewest and the most parameters, and who answers.
METHODS: Final[dict[str, tuple[int, int, Callable[[Params], Any]]]] = {
    "eth_chainId": (0, 0, _chain_id),
    "eth_blockNumber": (0, 0, _block_number),
    "eth_getBalance": (1, 2, _balance),
    "eth_getTransactionCount": (1, 2, _nonce),
    "eth_getCode": (1, 2, _code),
    "eth_gasPrice": (0, 0, _gas_price),
    "eth_maxPriorityFeePerGas": (0, 0, _tip),
    "eth_feeHistory": (2, 3, _fee_history),
    "eth_estimateGas": (1, 3, _estimate_gas),
    "eth_call": (1, 4, _call),
    "eth_sendRawTransaction": (1, 1, _send_raw),
    "eth_getTransactionByHash": (1, 1, _transaction),
    "eth_getTransactionReceipt": (1, 1, _receipt),
    "eth_getBlockByNumber": (1, 2, _block_by_number),
    "eth_getBlockByHash": (1, 2, _block_by_hash),
    "eth_getLogs": (1, 1, _logs),
    "net_version": (0, 0, _version),
    "web3_clientVersion": (0, 0, _client_version),
    "evm_mine": (0, 1, _evm_mine),
    "anvil_mine": (0, 2, _anvil_mine),
    "anvil_setBalance": (2, 2, _set_balance),
    "anvil_dealERC20": (3, 3, _deal_token),
    "anvil_reorg": (1, 2, _reorg),
    "anvil_dropTransaction": (1, 1, _drop),
    # Not anvil's: have a waiting transaction fail (status 0) in its block.
    "mockchain_failTransaction": (1, 1, _fail),
}
