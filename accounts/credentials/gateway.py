"""Mail to a user: plain text with an HTML alternative, from `accounts/mail/<name>.*`."""

from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop

from common.outbox.errors import TryLater

SUBJECTS = {
    "reset": gettext_noop("Set a new password"),
    "verify": gettext_noop("Confirm your e-mail address"),
}


def link(page: str, token: str) -> str:
    """A page with the token behind `#`, a part that browsers send to no server's log."""
    return f"{settings.PUBLIC_URL.rstrip('/')}{reverse(f'link-{page}')}#token={token}"


def send(name: str, *, to: str, **context: Any) -> None:
    """Raises TryLater while the mail server takes nothing."""
    context = {**context, "shop": settings.SHOP_NAME}
    subject = f"{settings.SHOP_NAME}: {gettext(SUBJECTS[name])}"
    text = render_to_string(f"accounts/mail/{name}.txt", context)
    mail = EmailMultiAlternatives(subject, text, to=[to])
    mail.attach_alternative(render_to_string(f"accounts/mail/{name}.html", context), "text/html")
    try:
        mail.send()
    except (OSError, SMTPException) as error:
        # The original names the address; what is logged must not.
        raise TryLater(type(error).__name__) from None
