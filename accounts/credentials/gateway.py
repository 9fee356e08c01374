"""Mail to a user, from `accounts/mail/<name>.*`."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from common import mail

SUBJECTS = {"reset": "Set a new password", "verify": "Confirm your e-mail address"}


def link(page: str, token: str) -> str:
    """A static page with the token behind `#`, a part that browsers send to no server's log.

    By its plain name: the hashed one would be gone after a deployment that changes the page.
    """
    return f"{settings.PUBLIC_URL.rstrip('/')}/static/accounts/{page}.html#token={token}"


def send(name: str, *, to: str, **context: Any) -> None:
    """Raises TryLater while the mail server takes nothing."""
    mail.send(f"accounts/mail/{name}", to=to, subject=gettext(SUBJECTS[name]), context=context)
