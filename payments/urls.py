"""`public` below /api/v1/, `staff` below /api/v1/admin/, `assigned` below /api/.

`webhooks` is below /webhooks/, `pages` below /pay/, `back` below /admin/; `mock_chain` is mounted
only where the settings name it.
"""

from django.urls import path

from payments.chain.node import api as node
from payments.checkout import api as checkout
from payments.checkout.paying import pages as paying
from payments.crypto import api as crypto
from payments.exchange import api as exchange
from payments.exports import api as exports
from payments.exports import pages as back_exports
from payments.intake import api as intake
from payments.market import api as market
from payments.market.live.api import PriceStream
from payments.risk import api as risk
from payments.stripe import api as stripe

public = [
    path("orders/", checkout.OrderList.as_view()),
    path("orders/<slug:number>/", checkout.OrderDetail.as_view()),
    path("orders/<slug:number>/cancel/", checkout.CancelOrder.as_view()),
    path("orders/<slug:number>/payments/", checkout.OrderPayments.as_view()),
    path("flash-sales/<slug:slug>/purchases/", checkout.FlashPurchases.as_view()),
    path("purchases/summary/", checkout.PurchaseSummary.as_view()),
    path("wallet/deposits/", checkout.Deposits.as_view()),
    path("exchange/currencies/", exchange.Currencies.as_view()),
    path("exchange/orders/", exchange.Orders.as_view()),
    path("exchange/orders/<uuid:uid>/", exchange.Order.as_view()),
    path("exchange/orders/<uuid:uid>/cancel/", exchange.CancelOrder.as_view()),
    path("tokens/", market.Tokens.as_view()),
    path("market/coins/", market.Coins.as_view()),
    path("market/stats/", market.Stats.as_view()),
    path("market/deviation/", market.Deviation.as_view()),
    path("market/history/", market.History.as_view()),
    path("market/stream/", PriceStream.as_view()),
    path("payments/", intake.PaymentList.as_view()),
    path("payments/<uuid:uid>/", intake.PaymentDetail.as_view()),
    path("payments/<uuid:uid>/confirm/", stripe.ConfirmPayment.as_view()),
    path("payments/<uuid:uid>/transactions/", crypto.Transactions.as_view()),
]

staff = [
    path("orders/", checkout.StaffOrderList.as_view()),
    path("orders/<slug:number>/", checkout.StaffOrderDetail.as_view()),
    path("orders/<slug:number>/fulfil/", checkout.FulfilOrder.as_view()),
    path("payments/", intake.StaffPaymentList.as_view()),
    path("payments/<uuid:uid>/", intake.StaffPaymentDetail.as_view()),
    path("payments/<uuid:uid>/refund/", intake.StaffRefunds.as_view()),
    path("payments/<uuid:uid>/resolve/", intake.StaffResolve.as_view()),
    path("exchange/batches/", exchange.Batches.as_view()),
    path("exchange/batches/<uuid:uid>/", exchange.Batch.as_view()),
    path("exchange/batches/<uuid:uid>/retry/", exchange.RetryBatch.as_view()),
    path("exchange/batches/<uuid:uid>/give-back/", exchange.GiveBackBatch.as_view()),
    path("exchange/batches/<uuid:uid>/reconcile/", exchange.ReconcileBatch.as_view()),
    path("exports/", exports.Exports.as_view()),
    path("exports/<uuid:uid>/", exports.Export.as_view()),
    path("exports/<uuid:uid>/file/", exports.ExportFile.as_view()),
    path("market/providers/", market.Providers.as_view()),
    path("risk/allowances/", risk.Allowances.as_view()),
    path("risk/allowances/<uuid:uid>/", risk.Allowance.as_view()),
    path("webhook-events/", stripe.StaffEventList.as_view()),
    path("webhook-events/<slug:event_id>/", stripe.StaffEventDetail.as_view()),
    path("webhook-events/<slug:event_id>/replay/", stripe.StaffEventReplay.as_view()),
]

# Below /api/, as an assignment names them.
assigned = [
    path("stats", market.AssignedStats.as_view()),
    path("deviation", market.AssignedDeviation.as_view()),
]

back = [
    path("exports/", back_exports.exports, name="exports"),
    path("exports/<uuid:uid>/", back_exports.export, name="export"),
    path("exports/<uuid:uid>/file/", back_exports.file, name="export-file"),
]

pages = [
    path("<uuid:uid>/", paying.payment, name="pay"),
    path("<uuid:uid>/state/", paying.state, name="pay-state"),
    path("<uuid:uid>/card/", paying.card, name="pay-card"),
]

webhooks = [path("stripe/", stripe.webhook)]

mock_chain = [path("mockchain/", node.rpc)]
