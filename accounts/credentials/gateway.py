"""Mail to a user, from `accounts/mail/<name>.*`."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop

from common import mail

SUBJECTS = {
    "reset": gettext_noop("Set a new password"),
    "verify": gettext_noop("Confirm your e-mail address"),
}


def link(page: str, token: str) -> str:
    """A page with the token behind `#`, a part that browsers send to no server's log."""
    return f"{settings.PUBLIC_URL.rstrip('/')}{reverse(f'link-{page}')}#token={token}"


def send(name: str, *, to: str, **context: Any) -> None:
    """Raises TryLater while the mail server takes nothing."""
    mail.send(f"accounts/mail/{name}", to=to, subject=gettext(SUBJECTS[name]), context=context)
