"""The caller's wallet, and the house's trial balance."""

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.ledger import selectors
from accounts.ledger.serializers import EntryOut, EntryQuery, TrialBalanceOut, WalletOut
from accounts.sessions.authentication import principal
from common.api.docs import cursor_of, operation
from common.api.permissions import IsStaff
from common.api.views import ApiView


class Wallet(ApiView):
    @operation("The caller's balances", answers={200: WalletOut}, tags=["wallet"])
    def get(self, request: Request) -> Response:
        balances = selectors.balances_of(principal(request).pk)
        return Response(WalletOut({"balances": balances}).data)


class WalletEntries(ApiView):
    @operation(
        "The caller's statement, newest first, with running balances",
        answers={200: cursor_of(EntryOut)},
        parameters=(EntryQuery,),
        tags=["wallet"],
    )
    def get(self, request: Request) -> Response:
        query = self.query(request, EntryQuery)
        entries = selectors.entries_of(principal(request).pk, currency=query.get("currency"))
        return self.cursor(entries, EntryOut)


class TrialBalance(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Debits and credits of the whole ledger, per currency",
        answers={200: TrialBalanceOut},
        tags=["staff: ledger"],
    )
    def get(self, request: Request) -> Response:
        return Response(TrialBalanceOut({"currencies": selectors.trial_balance()}).data)
