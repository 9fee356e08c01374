"""Transactions of the caller's payments in coins."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api.docs import operation
from common.api.idempotent import idempotent
from common.api.views import ApiView
from payments.chain.errors import ChainError
from payments.crypto import selectors, services
from payments.crypto.errors import TRANSACTION_REFUSALS, ChainAway, NotCrypto
from payments.crypto.serializers import TransactionIn, TransactionOut
from payments.intake import selectors as intake


def _named(_: Request, digits: str) -> dict[str, str]:
    return {"tx_hash": f"0x{digits}", "status": selectors.seen(f"0x{digits}")}


class Transactions(ApiView):
    @operation(
        "Name the transaction that pays, or have it sent",
        operation_id="payments_transactions_create",
        answers={202: TransactionOut},
        refusals=(NotCrypto, *TRANSACTION_REFUSALS, ChainAway),
        keyed=True,
        request=TransactionIn,
        tags=["payments"],
    )
    @idempotent(_named)
    def post(self, request: Request, uid: UUID) -> Response:
        payment = intake.payment_of(principal(request).pk, str(uid))
        body = self.body(request, TransactionIn)
        invoice = selectors.invoice(payment.pk)
        if invoice is None:
            raise NotCrypto
        try:
            if "tx_hash" in body:
                found = services.hash_submit(invoice=invoice, tx_hash=body["tx_hash"])
            else:
                found = services.transaction_submit(invoice=invoice, raw=body["raw_transaction"])
        except ChainError as error:
            raise ChainAway from error
        return Response({"tx_hash": found[0], "status": found[1]}, status=202)
