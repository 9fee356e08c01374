"""How e-mail addresses and usernames are written, so that one person is one row."""

import re
import secrets
import unicodedata
from typing import Final

EMAIL_MAX: Final = 254
USERNAME_MAX: Final = 30
NAME_MAX: Final = 150

# No "@": an identifier is an e-mail or a username, never both.
_USERNAME: Final = re.compile(rf"[A-Za-z0-9._-]{{3,{USERNAME_MAX}}}")
_SYMBOLS: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def email_normalise(text: str) -> str:
    """NFKC, stripped, lower case, the domain in punycode: what is stored and compared.

    A valid address is plain ASCII afterwards, so that MySQL's accent-blind collation and
    SQLite's exact one agree on which two are equal.
    """
    local, at, domain = unicodedata.normalize("NFKC", text).strip().lower().rpartition("@")
    return f"{local}{at}{_punycode(domain)}"


def _punycode(domain: str) -> str:
    try:
        return domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:  # not a domain at all; validation refuses it as it stands
        return domain


def username_valid(text: str) -> bool:
    return _USERNAME.fullmatch(text) is not None


def username_derive() -> str:
    """`"shopper-7q4m2xkd9t"`: 50 random bits, and nothing of the e-mail address."""
    return "shopper-" + "".join(secrets.choice(_SYMBOLS) for _ in range(10))


def identifier_normalise(text: str) -> str:
    """One form of an e-mail or username, however it is typed: what attempts are counted by."""
    return email_normalise(text) if "@" in text else text.lower()


def identifier_plausible(text: str) -> bool:
    """False for what no stored e-mail or username can equal.

    MySQL's collation ignores control characters and accents: without this, "jo\\u0001e@x.org"
    would find "joe@x.org".
    """
    return text.isascii() and text.isprintable() and 0 < len(text) <= EMAIL_MAX
