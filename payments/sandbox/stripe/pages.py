"""The bank's page of 3-D Secure, where a person completes or fails the authentication."""

import hmac
from html import escape
from string import Template
from urllib.parse import urlencode

from payments.sandbox.stripe.controls import Controls
from payments.sandbox.stripe.errors import JSON, StripeError
from payments.sandbox.stripe.http import Request, Response
from payments.sandbox.stripe.params import money

PREFIX = "/authenticate/"
_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>3-D Secure (sandbox)</title>
<meta name="viewport" content="width=device-width">
<style>body{font:16px system-ui;max-width:28rem;margin:4rem auto;padding:0 1rem}
button{font:inherit;padding:.5rem 1.5rem;margin-right:1rem}</style></head>
<body><h1>3-D Secure test page</h1>$content</body></html>
""")
_FORM = Template("""<p>Your bank asks you to confirm a payment of <strong>$amount</strong>.
No money moves: this is a sandbox.</p>
<form method="post"><input type="hidden" name="client_secret" value="$secret">
<button name="outcome" value="success">Complete</button>
<button name="outcome" value="failure">Fail</button></form>""")


def answer(controls: Controls, request: Request) -> Response:
    """GET shows the two buttons, POST presses one. 404 without the intent's client secret."""
    values = request.form_values() if request.method == "POST" else request.query_values()
    intent = _intent(controls, request.path.removeprefix(PREFIX), values.get("client_secret", ""))
    if intent is None:
        return _page(404, "<p>No such payment.</p>")
    if intent["status"] != "requires_action":
        return _page(200, "<p>Nothing is left to confirm. You can close this page.</p>")
    if request.method != "POST":
        return _form(intent)
    return _press(controls, intent, values.get("outcome", ""))


def _intent(controls: Controls, id_: str, secret: str) -> JSON | None:
    with controls.engine.store.transaction():
        intent = controls.engine.store.get("payment_intent", id_)
    if intent is None or not hmac.compare_digest(intent["client_secret"].encode(), secret.encode()):
        return None
    return intent


def _form(intent: JSON) -> Response:
    amount = money(intent["amount"], intent["currency"])
    secret = escape(intent["client_secret"])
    return _page(200, _FORM.substitute(amount=escape(amount), secret=secret))


def _press(controls: Controls, intent: JSON, outcome: str) -> Response:
    way_back = intent["next_action"].get("redirect_to_url", {}).get("return_url")
    try:
        after = controls.authenticate(intent["id"], outcome)
    except StripeError as error:
        return _page(error.status, f"<p>{escape(str(error))}</p>")
    if way_back is None:
        return _page(200, f"<p>Done: {escape(after['status'])}. You can close this page.</p>")
    return Response(303, b"", headers={"Location": _return_to(way_back, after)})


def _return_to(url: str, intent: JSON) -> str:
    status = "failed" if intent["status"] == "requires_payment_method" else "succeeded"
    added = {
        "payment_intent": intent["id"],
        "payment_intent_client_secret": intent["client_secret"],
        "redirect_status": status,
    }
    return f"{url}{'&' if '?' in url else '?'}{urlencode(added)}"


def _page(status: int, content: str) -> Response:
    body = _PAGE.substitute(content=content).encode()
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(status, body, "text/html; charset=utf-8", headers)
