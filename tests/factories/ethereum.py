"""Other people's Ethereum libraries, against which ours is held: the fixture `theirs`.

They take seconds to import, which the process that uses them spends, not each that collects tests.

They bring py_ecc, which raises the interpreter's limit of recursion to 100,000: a body of so many
levels would then end the process, whichever test sends it.
"""

import sys

LIMIT = sys.getrecursionlimit()

import rlp  # noqa: E402
from eth_account import Account  # noqa: E402
from web3 import Web3  # noqa: E402
from web3.exceptions import ContractLogicError, Web3RPCError  # noqa: E402
from web3.middleware import SignAndSendRawMiddlewareBuilder  # noqa: E402

sys.setrecursionlimit(LIMIT)

__all__ = [
    "Account",
    "ContractLogicError",
    "SignAndSendRawMiddlewareBuilder",
    "Web3",
    "Web3RPCError",
    "rlp",
]
