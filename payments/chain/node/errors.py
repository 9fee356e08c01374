"""Errors of JSON-RPC, with the codes and words of geth and anvil."""

from typing import Any


class RpcError(Exception):
    """Answered as `{"error": {"code", "message", "data"?}}`."""

    code = -32000
    message = "error"

    def __init__(self, message: str = "", data: Any = None) -> None:
        super().__init__(message or self.message)
        self.message = message or self.message
        self.data = data


class ParseError(RpcError):
    code = -32700
    message = "parse error"


class InvalidRequest(RpcError):
    code = -32600
    message = "invalid request"


class MethodNotFound(RpcError):
    code = -32601


class InvalidParams(RpcError):
    code = -32602
    message = "invalid params"


class InternalError(RpcError):
    code = -32603
    message = "internal error"


class LimitExceeded(RpcError):
    code = -32005
    message = "limit exceeded"


class Rejected(RpcError):
    """The node does not do what is asked; -32000, as geth has it for transactions and state."""


class Reverted(RpcError):
    """A call that the contract refuses."""

    code = 3
    message = "execution reverted"
