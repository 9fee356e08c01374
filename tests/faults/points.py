"""Points at which a process of the fault tests kills itself: once, and as SIGKILL does."""

import functools
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import AppConfig


def die_once() -> None:
    """End this process and all of its group, the first time that anybody comes here."""
    try:
        os.close(os.open(os.environ["FAULT_MARK"], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.killpg(os.getpgid(0), signal.SIGKILL)


def deadly(func: Callable[..., Any], when: str) -> Callable[..., Any]:
    """`func`, and the end just `before` or `after` it; or only the time of a "slow" answer."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            die_once()
        if when == "slow":
            time.sleep(0.5)
        result = func(*args, **kwargs)
        if when == "after":
            die_once()
        return result

    return wrapper


def unguard() -> None:
    """Take a guard of flash sales out of this process, for the controls."""
    from common import clock  # noqa: PLC0415
    from payments.stripe.port import StripeGateway  # noqa: PLC0415
    from shop.flash_sales import services  # noqa: PLC0415

    if os.environ.get("FAULT_NO_STRIPE"):
        StripeGateway.open = lambda self, payment_id: None  # type: ignore[method-assign]
    if os.environ.get("FAULT_HOST_CLOCK"):
        clock.now = lambda: datetime.now(UTC)
    if os.environ.get("FAULT_COUNTER"):
        services.gate_claim = lambda run_id, quantity: None
        services.units_choose, services.units_write = count_then_choose, write_no_units


def count_then_choose(run: Any, wanted: Any, handed: Any = None) -> list[Any]:
    """A count that is read before anything is written."""
    from django.db.models import Sum  # noqa: PLC0415

    from shop.flash_sales.errors import SoldOut  # noqa: PLC0415
    from shop.flash_sales.services.many import Chosen  # noqa: PLC0415

    ordered = run.purchases.aggregate(n=Sum("quantity"))["n"] or 0
    if ordered >= run.allocation:
        return [SoldOut(wanted=one.quantity, left=0, run_id=run.pk) for one in wanted]
    # What a busy machine takes for the other rows of a purchase: whoever looks now sees one fewer.
    time.sleep(0.5)
    return [Chosen(one.user_id, numbers=(1,)) for one in wanted]


def write_no_units(*, open_run: Any, chosen: Any, paid: bool) -> None:
    for order_id, one in chosen:
        open_run.run.purchases.create(order_id=order_id, user_id=one.user_id, quantity=1)


class Points(AppConfig):
    name = "tests.faults"
    label = "faults"

    def ready(self) -> None:
        from common.outbox import services as outbox  # noqa: PLC0415
        from payments.stripe import gateway  # noqa: PLC0415

        if os.environ.get("FAULT_QUICK"):
            outbox.LEASE = timedelta(seconds=4)
            outbox.RESEND_AFTER = timedelta(seconds=2)
        unguard()
        name, _, when = os.environ.get("FAULT_POINT", "").partition(":")
        for module in (gateway, outbox) if name else ():
            if hasattr(module, name):
                setattr(module, name, deadly(getattr(module, name), when))
                return
        if name:
            raise LookupError(f"no point is called {name}")
