"""Write use cases on Stripe's side."""

from payments.stripe.services.confirm import attempt_resolve, payment_confirm
from payments.stripe.services.disputes import dispute_sync
from payments.stripe.services.intents import intent_cancel, intent_ensure, intent_sync, poll
from payments.stripe.services.reconcile import payments_reconcile, payments_reconcile_in_turn
from payments.stripe.services.refunds import refund_adopt, refund_send, refund_sync
from payments.stripe.services.webhooks import webhook_process, webhook_receive, webhook_replay

__all__ = [
    "attempt_resolve",
    "dispute_sync",
    "intent_cancel",
    "intent_ensure",
    "intent_sync",
    "payment_confirm",
    "payments_reconcile",
    "payments_reconcile_in_turn",
    "poll",
    "refund_adopt",
    "refund_send",
    "refund_sync",
    "webhook_process",
    "webhook_receive",
    "webhook_replay",
]
