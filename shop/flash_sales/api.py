"""Flash sales over HTTP. Purchases of them are served by `payments.checkout`."""

from collections.abc import Iterable
from typing import Any, Final

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api.docs import cursor_of, operation, page_of
from common.api.idempotent import idempotent
from common.api.permissions import IsStaff
from common.api.serializers import CursorQuery, StrictSerializer
from common.api.views import ApiView
from common.errors import InvalidTransition, NotFound
from common.replicas import may_lag
from shop.flash_sales import selectors, services
from shop.flash_sales.errors import (
    AllocationAboveStock,
    AllocationMissing,
    NoRunToChange,
    NoSuchRun,
    PromiseBroken,
    RunOverlaps,
    SlugTaken,
    StartsInThePast,
    UnknownProduct,
    WindowReversed,
)
from shop.flash_sales.live import services as live
from shop.flash_sales.serializers import (
    ChangeIn,
    FlashSaleOut,
    LeaderboardEntryOut,
    LeaderboardQuery,
    RunIn,
    RunStockOut,
    SaleIn,
    SaleQuery,
    StaffFlashRunOut,
)
from shop.flash_sales.services import Offer, Plan

PUBLIC: Final = ["flash sales"]
STAFF: Final = ["staff: flash sales"]
UNPLANNED: Final = (StartsInThePast, RunOverlaps, AllocationAboveStock)


def _now(sales: Iterable[Any]) -> dict[str, Any]:
    return {"now": {found.sale.pk: found for found in selectors.sales_now(sales)}}


def _sale_body(slug: str) -> Any:
    return _shown(selectors.sale_get(slug))


def _shown(sale: Any) -> Any:
    return FlashSaleOut(sale, context={"now": {sale.pk: selectors.sale_now(sale)}}).data


def _runs_now(runs: Iterable[Any]) -> dict[str, Any]:
    return {"now": {found.run.pk: found for found in selectors.runs_now(runs)}}


def _run_body(run_id: int) -> Any:
    run = selectors.run_get(run_id)
    return StaffFlashRunOut(run, context=_runs_now([run])).data


class SaleList(ApiView):
    def listed(self, request: Request) -> Response:
        status = self.query(request, SaleQuery).get("status")
        rows = selectors.sale_list()
        if status is None:
            return self.pages(rows, FlashSaleOut, with_page=_now)
        # What a sale is follows from the clock and its units: no column has it.
        now = _now(rows)
        found = [each.sale for each in now["now"].values() if each.status == status]
        return self.pages(found, FlashSaleOut, **now)


class FlashSales(SaleList):
    permission_classes = [AllowAny]

    @operation(
        "Flash sales, each with its current run",
        operation_id="flash_sales_list",
        answers={200: page_of(FlashSaleOut)},
        refusals=(NotFound,),
        parameters=(SaleQuery,),
        tags=PUBLIC,
    )
    def get(self, request: Request) -> Response:
        return self.listed(request)


class FlashSaleDetail(ApiView):
    permission_classes = [AllowAny]

    @operation(
        "One flash sale",
        operation_id="flash_sales_detail",
        answers={200: FlashSaleOut},
        tags=PUBLIC,
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(_sale_body(slug))


class FlashSaleStock(ApiView):
    permission_classes = [AllowAny]

    @operation(
        "The units of a sale's current run",
        answers={200: RunStockOut},
        refusals=(NoSuchRun,),
        tags=PUBLIC,
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(live.stock_now(slug).body())


class Leaderboard(ApiView):
    permission_classes = [AllowAny]

    @operation(
        "Who bought and paid, in that order; of the run that started last",
        answers={200: cursor_of(LeaderboardEntryOut)},
        refusals=(NoSuchRun,),
        parameters=(LeaderboardQuery,),
        tags=PUBLIC,
    )
    @may_lag
    def get(self, request: Request, slug: str) -> Response:
        number = self.query(request, LeaderboardQuery).get("run")
        found = selectors.leaderboard(selectors.run_listed(slug, number))
        return self.cursor(found, LeaderboardEntryOut, ordering="position")


def _sale_again(_: Request, ref: str) -> Any:
    return _shown(selectors.sale_by_id(int(ref.removeprefix("flash_sale:"))))


def _run_again(_: Request, ref: str) -> Any:
    return _run_body(int(ref.removeprefix("flash_run:")))


def _sale_of_run_again(_: Request, ref: str) -> Any:
    run = selectors.run_get(int(ref.removeprefix("flash_run:")))
    return _shown(run.sale)


class StaffFlashSales(SaleList):
    permission_classes = [IsStaff]

    @operation(
        "All flash sales",
        operation_id="admin_flash_sales_list",
        answers={200: page_of(FlashSaleOut)},
        refusals=(NotFound,),
        parameters=(SaleQuery,),
        tags=STAFF,
    )
    def get(self, request: Request) -> Response:
        return self.listed(request)

    @operation(
        "Make a flash sale and plan its first run",
        operation_id="admin_flash_sales_create",
        request=SaleIn,
        answers={201: FlashSaleOut},
        refusals=(UnknownProduct, SlugTaken, *UNPLANNED),
        keyed=True,
        tags=STAFF,
    )
    @idempotent(_sale_again)
    def post(self, request: Request) -> Response:
        body = self.body(request, SaleIn)
        product = body.pop("product")
        slug = body.pop("slug", None) or selectors.free_slug(product)
        plan = Plan(**{name: body.pop(name) for name in Plan.__slots__ if name in body})
        services.sale_create(
            slug=slug,
            product=product,
            offer=Offer(**body),
            plan=plan,
            actor_id=principal(request).pk,
        )
        return Response(_sale_body(slug), status=201)


class StaffFlashSale(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "One flash sale, for staff",
        operation_id="admin_flash_sales_detail",
        answers={200: FlashSaleOut},
        tags=STAFF,
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(_sale_body(slug))

    @operation(
        "Change what a sale offers, its open and planned runs included, and its live or next run",
        operation_id="admin_flash_sales_change",
        request=ChangeIn,
        answers={200: FlashSaleOut},
        refusals=(PromiseBroken, NoRunToChange, WindowReversed, *UNPLANNED),
        tags=STAFF,
    )
    def patch(self, request: Request, slug: str) -> Response:
        changes, sale = self.body(request, ChangeIn), selectors.sale_get(slug)
        plan = {name: changes.pop(name) for name in Plan.__slots__ if name in changes}
        services.sale_patch(
            sale_id=sale.pk, changes=changes, plan=plan, actor_id=principal(request).pk
        )
        return Response(_sale_body(slug))


class StaffFlashRuns(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "A sale's runs, newest first",
        operation_id="admin_flash_runs_list",
        answers={200: cursor_of(StaffFlashRunOut)},
        parameters=(CursorQuery,),
        tags=STAFF,
    )
    def get(self, request: Request, slug: str) -> Response:
        self.query(request, CursorQuery)
        runs = selectors.runs_of(slug)
        return self.cursor(runs, StaffFlashRunOut, ordering="-number", with_page=_runs_now)

    @operation(
        "Plan another run of a sale",
        operation_id="admin_flash_runs_create",
        request=RunIn,
        answers={201: StaffFlashRunOut},
        refusals=(AllocationMissing, *UNPLANNED),
        keyed=True,
        tags=STAFF,
    )
    @idempotent(_run_again)
    def post(self, request: Request, slug: str) -> Response:
        body, sale = self.body(request, RunIn), selectors.sale_get(slug)
        allocation = body.pop("allocation", None) or selectors.last_allocation(sale)
        run = services.run_schedule(
            sale_id=sale.pk, plan=Plan(allocation, **body), actor_id=principal(request).pk
        )
        return Response(_run_body(run.pk), status=201)


class EndFlashSale(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "End the open run of a sale, or else call off the next",
        answers={200: FlashSaleOut},
        refusals=(InvalidTransition,),
        keyed=True,
        request=None,
        tags=STAFF,
    )
    @idempotent(_sale_of_run_again)
    def post(self, request: Request, slug: str) -> Response:
        self.body(request, StrictSerializer)
        sale = selectors.sale_get(slug)
        services.sale_end(sale_id=sale.pk, actor_id=principal(request).pk)
        return Response(_sale_body(slug))
