"""The only place of this feature that sends mail."""

from common import mail
from payments.notices.rules import Letter


def send(letter: Letter, *, to: str, name: str) -> bool:
    """False where the address is refused for good. Raises TryLater."""
    context = {"letter": letter, "name": name}
    return mail.send("payments/mail/notice", to=to, subject=letter.subject, context=context)
