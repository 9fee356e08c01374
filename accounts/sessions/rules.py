"""What a session is, apart from its storage."""

import hashlib
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """`request.user` of the API: whom a token speaks for. Not a database row.

    `pk` is for foreign keys and never leaves the server; `uid` may. There is no `id`, so that
    neither is taken for the other.
    """

    pk: int
    uid: UUID
    is_staff: bool = False
    is_superuser: bool = False

    @property
    def is_active(self) -> bool:
        return True

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def is_anonymous(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class TokenPair:
    """Both tokens, encoded."""

    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class Claims:
    """What a genuine, unexpired token says."""

    kind: str
    family: UUID
    jti: str


def jti_hash(jti: str) -> str:
    """SHA-256, hexadecimal: a leaked table holds nothing that could be signed again."""
    return hashlib.sha256(jti.encode()).hexdigest()
