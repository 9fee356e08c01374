"""A customer's own: signing in, and a history of 10 and of 10,000 purchases."""

from collections.abc import Sequence

from benchmarks.load import Ratio, Scenario, Way, request
from benchmarks.scenarios.common import EMPTY_GET, empty_get, gets
from benchmarks.shape import Shape

FEW, MANY = 10, 10_000
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
    history, items, summary = (f"/api/v1/purchases/{what}" for what in ("", "items/", "summary/"))
    return [
        empty_get(tokens),
        Way(name=f"history of {FEW}", calls=lambda _: gets(history, few)),
        Way(name=f"history of {MANY:,}", calls=lambda _: gets(history, many)),
        Way(name=f"per product, of {FEW}", calls=lambda _: gets(items, few)),
        Way(name=f"per product, of {MANY:,}", calls=lambda _: gets(items, many)),
        Way(name=f"summary of {FEW}", calls=lambda _: gets(summary, few)),
        Way(name=f"summary of {MANY:,}", calls=lambda _: gets(summary, many)),
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
            Ratio(
                name="history to the empty view",
                above=f"history of {FEW}",
                below=EMPTY_GET,
                target=0.2,
            ),
            *(
                Ratio(
                    name=f"{what}: {MANY:,} to {FEW}",
                    above=f"{what} of {MANY:,}",
                    below=f"{what} of {FEW}",
                    target=target,
                )
                for what, target in (("history", 0.8), ("per product,", 0.8), ("summary", 0.8))
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
