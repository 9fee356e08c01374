"""`public` below /api/v1/, `staff` below /api/v1/admin/, `webhooks` below /webhooks/."""

from django.urls import path

from payments.checkout import api as checkout
from payments.intake import api as intake
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
    path("payments/", intake.PaymentList.as_view()),
    path("payments/<uuid:uid>/", intake.PaymentDetail.as_view()),
    path("payments/<uuid:uid>/confirm/", stripe.ConfirmPayment.as_view()),
]

staff = [
    path("orders/", checkout.StaffOrderList.as_view()),
    path("orders/<slug:number>/", checkout.StaffOrderDetail.as_view()),
    path("orders/<slug:number>/fulfil/", checkout.FulfilOrder.as_view()),
    path("payments/", intake.StaffPaymentList.as_view()),
    path("payments/<uuid:uid>/", intake.StaffPaymentDetail.as_view()),
    path("payments/<uuid:uid>/refund/", intake.StaffRefunds.as_view()),
    path("payments/<uuid:uid>/resolve/", intake.StaffResolve.as_view()),
    path("risk/allowances/", risk.Allowances.as_view()),
    path("risk/allowances/<uuid:uid>/", risk.Allowance.as_view()),
    path("webhook-events/", stripe.StaffEventList.as_view()),
    path("webhook-events/<slug:event_id>/", stripe.StaffEventDetail.as_view()),
    path("webhook-events/<slug:event_id>/replay/", stripe.StaffEventReplay.as_view()),
]

webhooks = [path("stripe/", stripe.webhook)]
