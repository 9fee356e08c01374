"""A mail in two forms, plain text with an HTML alternative. Only gateways call this."""

from collections.abc import Mapping
from smtplib import SMTPException, SMTPRecipientsRefused
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from common.outbox.errors import TryLater

# RFC 3834: an absent customer's answering machine stays silent.
HEADERS: Final = {"Auto-Submitted": "auto-generated"}


def send(template: str, *, to: str, subject: str, context: Mapping[str, Any]) -> bool:
    """Send `<template>.txt` with `<template>.html`; False where the address is refused for good.

    Raises TryLater while the mail server takes nothing.
    """
    context = {**context, "shop": settings.SHOP_NAME}
    text = render_to_string(f"{template}.txt", context)
    subject = f"{settings.SHOP_NAME}: {subject}"
    mail = EmailMultiAlternatives(subject, text, to=[to], headers=HEADERS)
    mail.attach_alternative(render_to_string(f"{template}.html", context), "text/html")
    try:
        mail.send()
    except (OSError, SMTPException) as error:
        if _is_final(error):
            return False
        # The original names the address; what is logged must not.
        raise TryLater(type(error).__name__) from None
    return True


def _is_final(error: Exception) -> bool:
    """No such mailbox: asked again and again, the server would take us for a spammer."""
    if not isinstance(error, SMTPRecipientsRefused):
        return False
    return all(code >= 500 for code, _ in error.recipients.values())
