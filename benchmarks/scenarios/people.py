"""A customer's own: signing in, and a history of 10 and of 10,000 purchases."""

from collections.abc import Sequence

from benchmarks.load import Ratio, Scenario, Way, request
from benchmarks.scenarios.common import EMPTY_GET, empty_get, gets
from benchmarks.shape import Shape

FEW, MANY = 10, 10_000
# Pages of as many rows for both customers, for one of whom there are no more.
SAME = f"?page_size={FEW}"
KINDS = (("history", SAME), ("per product,", f"items/{SAME}"), ("summary", "summary/"))
PAGE = f"history of {MANY:,}, a page of 20"
PASSWORD = "a long password of the benchmark"


def _history(shape: Shape) -> Sequence[Way]:
    from benchmarks.shop import world
    from payments.checkout.services import histories_recount

    tokens = world.customers(2)
    world.history(0, FEW)
    world.history(1, MANY)
    # As the periodic task does a minute later.
    histories_recount()
    few, many = tokens[:1], tokens[1:]
    return [
        empty_get(tokens),
        Way(name=PAGE, calls=lambda _: gets("/api/v1/purchases/?page_size=20", many)),
        *(way for what in KINDS for way in _pages(*what, few, many)),
    ]


def _pages(kind: str, path: str, few: list[str], many: list[str]) -> list[Way]:
    """The page of few purchases and of many, and the latter the naive way."""
    return [
        Way(name=f"{kind} of {FEW}", calls=lambda _: gets(f"/api/v1/purchases/{path}", few)),
        Way(name=f"{kind} of {MANY:,}", calls=lambda _: gets(f"/api/v1/purchases/{path}", many)),
        Way(
            name=f"{kind} of {MANY:,}, the naive way",
            calls=lambda _: gets(f"/benchmark/purchases/{path}", many),
        ),
    ]


def _login(shape: Shape) -> Sequence[Way]:
    from accounts.users.models import User
    from benchmarks.shop import world

    tokens = world.customers(64)
    person = User.objects.get(email="buyer0@example.org")
    person.set_password(PASSWORD)
    hashed = person.password
    User.objects.filter(email__startswith="buyer").update(password=hashed)
    names = [f"buyer{n}@example.org" for n in range(64)]
    bodies = [{"email": name, "password": PASSWORD} for name in names]
    path = "/api/v1/auth/token/"
    calls = [[request("POST", path, body)] for body in bodies]
    return [
        empty_get(tokens),
        Way(name="sign in", calls=lambda _: calls, callers=8),
        Way(
            name="the password alone",
            calls=lambda _: gets("/benchmark/password/", tokens),
            callers=8,
        ),
    ]


SCENARIOS = {
    "history": Scenario(
        about=f"What a customer has bought: {FEW} lines and {MANY:,}.",
        prepare=_history,
        exact=False,
        ratios=(
            Ratio(name="history to the empty view", above=PAGE, below=EMPTY_GET, target=0.2),
            *(
                Ratio(
                    name=f"{kind}: {MANY:,} to {FEW}",
                    above=f"{kind} of {MANY:,}",
                    below=f"{kind} of {FEW}",
                    target=0.8,
                )
                for kind, _ in KINDS
            ),
            *(
                Ratio(
                    name=f"{kind} of {MANY:,} to the naive way",
                    above=f"{kind} of {MANY:,}",
                    below=f"{kind} of {MANY:,}, the naive way",
                )
                for kind, _ in KINDS
            ),
        ),
    ),
    "login": Scenario(
        about="Signing in by password; hashing it is meant to be slow.",
        prepare=_login,
        exact=False,
        ratios=(
            Ratio(
                name="sign in to its hash alone",
                above="sign in",
                below="the password alone",
            ),
        ),
    ),
}
