"""Builders of Stripe's objects, with every key the API answers with.

Source of the shapes: Stripe's own sample objects (stripe/openapi, fixtures3.json, MIT).
Amounts are integers in minor units, times are unix seconds.
"""

import secrets
import string
from typing import Any

from payments.sandbox.stripe.cards import Card
from payments.sandbox.stripe.errors import JSON

API_VERSION = "2026-10-28.endive"
_ALPHABET = string.ascii_letters + string.digits
_EVIDENCE = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
]


def token(length: int) -> str:
    """Random letters and digits, about 5.9 bits each."""
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(length))


def new_id(prefix: str) -> str:
    """An id as Stripe makes them: `pi_3` and 23 letters and digits."""
    return f"{prefix}_{token(14)}" if prefix == "cus" else f"{prefix}_3{token(23)}"


def nulls(*names: str) -> JSON:
    return dict.fromkeys(names)


def blank_address() -> JSON:
    return nulls("city", "country", "line1", "line2", "postal_code", "state")


def page(url: str, data: list[JSON], has_more: bool) -> JSON:
    """A list answer."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def customer(now: int) -> JSON:
    settings = nulls("custom_fields", "default_payment_method", "footer", "rendering_options")
    unset = nulls("address", "default_source", "description", "discount", "email", "name")
    return {
        "id": new_id("cus"),
        "object": "customer",
        "balance": 0,
        "created": now,
        "currency": None,
        "delinquent": False,
        "invoice_prefix": token(8).upper(),
        "invoice_settings": settings,
        "livemode": False,
        "metadata": {},
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
        **unset,
    }


def billing_details() -> JSON:
    return {"address": blank_address(), **nulls("email", "name", "phone", "tax_id")}


def _checks() -> JSON:
    return {**nulls("address_line1_check", "address_postal_code_check"), "cvc_check": "pass"}


def payment_method(card: Card, now: int, exp_month: int, exp_year: int) -> JSON:
    details = {
        "brand": card.brand,
        "checks": _checks(),
        "country": card.country,
        "display_brand": card.brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": f"sandbox{card.number[:4]}{card.last4}",
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(),
        "card": details,
        "created": now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def payment_intent(amount: int, currency: str, now: int) -> JSON:
    id_ = new_id("pi")
    unset = nulls(
        "application", "application_fee_amount", "automatic_payment_methods", "canceled_at",
        "cancellation_reason", "customer", "customer_account", "description",
        "excluded_payment_method_types", "last_payment_error", "latest_charge", "managed_payments",
        "next_action", "on_behalf_of", "payment_method", "payment_method_configuration_details",
        "processing", "receipt_email", "review", "setup_future_usage", "shipping", "source",
        "statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group",
    )  # fmt: skip
    return {
        "id": id_,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "client_secret": f"{id_}_secret_{token(25)}",
        "confirmation_method": "automatic",
        "created": now,
        "currency": currency,
        "livemode": False,
        "metadata": {},
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
        **unset,
    }


def _charge_card(method: JSON, amount: int, authenticated: bool) -> JSON:
    card = method["card"]
    copied = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding")
    unset = nulls("installments", "mandate", "network_token", "wallet", "transaction_link_id")
    return {
        **{name: card[name] for name in copied},
        **unset,
        "amount_authorized": amount,
        "authorization_code": f"{secrets.randbelow(10**6):06}",
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "last4": card["last4"],
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_transaction_id": token(15),
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": _three_d_secure() if authenticated else None,
    }


def _three_d_secure() -> JSON:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": token(22),
        "version": "2.2.0",
    }


def outcome_approved() -> JSON:
    return {
        **nulls("advice_code", "network_advice_code", "network_decline_code", "reason"),
        "network_status": "approved_by_network",
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }


def outcome_declined(reason: str) -> JSON:
    return {
        **nulls("advice_code", "network_advice_code", "network_decline_code"),
        "network_status": "declined_by_network",
        "reason": reason,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }


def charge(intent: JSON, method: JSON, now: int, *, authenticated: bool, base_url: str) -> JSON:
    """A charge of the whole intent, approved and not yet captured."""
    id_ = new_id("ch")
    copied = ("amount", "currency", "customer", "description", "metadata", "receipt_email")
    unset = nulls(
        "application", "application_fee", "application_fee_amount", "balance_transaction",
        "failure_balance_transaction", "failure_code", "failure_message", "on_behalf_of",
        "receipt_number", "refunds", "review", "shipping", "source", "source_transfer",
        "statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group",
    )  # fmt: skip
    card = _charge_card(method, intent["amount"], authenticated)
    return {
        "id": id_,
        "object": "charge",
        **{name: intent[name] for name in copied},
        **unset,
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "SANDBOX",
        "captured": False,
        "created": now,
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "outcome": outcome_approved(),
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"card": card, "type": "card"},
        "receipt_url": f"{base_url}/receipts/{id_}",
        "refunded": False,
        "status": "succeeded",
    }


def refund(charge_: JSON, amount: int, now: int) -> JSON:
    unset = nulls(
        "balance_transaction", "customer_account", "receipt_number",
        "source_transfer_reversal", "transfer_reversal",
    )  # fmt: skip
    card = {
        "reference": token(10).upper(),
        "reference_status": "available",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    copied = ("currency", "payment_intent", "customer", "payment_method")
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "charge": charge_["id"],
        "created": now,
        "destination_details": {"card": card, "type": "card"},
        "metadata": {},
        "reason": None,
        "status": "succeeded",
        **{name: charge_[name] for name in copied},
        **unset,
    }


def dispute(charge_: JSON, now: int, *, reason: str, inquiry: bool) -> JSON:
    due = now + 9 * 86400
    brand = charge_["payment_method_details"]["card"]["brand"]
    case = {
        "brand": brand,
        "case_type": "inquiry" if inquiry else "chargeback",
        "network_reason_code": "10.4" if reason == "fraudulent" else "13.1",
        "network": brand,
    }
    return {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": charge_["amount_captured"],
        "balance_transactions": [],
        "charge": charge_["id"],
        "created": now,
        "currency": charge_["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**nulls(*_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": due,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge_["payment_intent"],
        "payment_method_details": {"card": case, "type": "card"},
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def balance_transaction(source: JSON, amount: int, kind: str, now: int) -> JSON:
    """A line of the balance. `amount` is signed; the fee is Stripe's 2.9 % and 30 cents."""
    fee = amount * 29 // 1000 + 30 if kind == "charge" else 0
    detail = {
        "amount": fee,
        "application": None,
        "currency": source["currency"],
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now + 2 * 86400,
        "balance_type": "payments",
        "created": now,
        "currency": source["currency"],
        "description": source.get("description"),
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [detail] if fee else [],
        "net": amount - fee,
        "reporting_category": kind,
        "source": source["id"],
        "status": "pending",
        "type": kind,
    }


def event(type_: str, object_: JSON, previous: JSON | None, now: int, request: JSON) -> JSON:
    data: dict[str, Any] = {"object": object_}
    if previous:
        data["previous_attributes"] = previous
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": now,
        "data": data,
        "livemode": False,
        "pending_webhooks": 1,
        "request": request,
        "type": type_,
    }
