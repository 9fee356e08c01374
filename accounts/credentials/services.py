"""New passwords, and proof that an e-mail address is its user's."""

from datetime import timedelta
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Now

from accounts.credentials import gateway, selectors, store, tokens
from accounts.credentials.errors import LinkNotValid, WrongPassword
from accounts.sessions import services as sessions
from accounts.sessions.models import RefreshFamily
from accounts.users import selectors as users
from accounts.users.models import User
from accounts.users.services import password_check, verification_enqueue
from common import clock
from common.db import transactional
from common.outbox import services as outbox


def password_change(*, user_id: int, old_password: str, new_password: str) -> None:
    """A new password; every session of the user ends. Raises WrongPassword, WeakPassword."""
    user = users.user_get(user_id=user_id)
    if not user.check_password(old_password):
        raise WrongPassword
    if not _password_replace(user, new_password):
        raise WrongPassword


@transactional
def password_reset_request(*, email: str) -> None:
    """Have a task decide whether `email` gets a link: here nothing is looked up.

    So neither answer nor time tells whether anybody has that address.
    """
    outbox.enqueue("accounts.credentials.send_reset", email=email, nonce=uuid4().hex)


def password_reset_send(*, email: str, nonce: str) -> None:
    """Mail a link to the active user with this address, if there is one."""
    user = users.user_find(identifier=email)
    if user is None or not user.is_active or not store.may_send("reset", user.pk, nonce):
        return
    lifetime = timedelta(seconds=settings.PASSWORD_RESET_SECONDS)
    token = tokens.make(tokens.RESET, user, now=clock.now(), lifetime=lifetime)
    url = gateway.link("reset", token)
    with store.sending("reset", user.pk, nonce):
        gateway.send("reset", to=user.email, user=user, url=url, token=token, lifetime=lifetime)


def password_reset(*, token: str, new_password: str) -> User:
    """Set a new password by a mailed link, once; every session of the user ends.

    Raises LinkNotValid, WeakPassword (which leaves the link as it was).
    """
    user = selectors.owner(purpose=tokens.RESET, token=token)
    # The link came by mail, so the address is theirs.
    if not _password_replace(user, new_password, email_verified_at=_now_at_the_latest()):
        raise LinkNotValid
    return user


def _password_replace(user: User, new_password: str, **more: Coalesce) -> bool:
    password_check(new_password, user, field="new_password")
    # Hashed before the transaction: argon2 takes its time on purpose.
    return _password_store(user, make_password(new_password), **more)


@transactional
def _password_store(user: User, hashed: str, **more: Coalesce) -> bool:
    """False where the password, address or state is not any more what the caller has checked."""
    changed = _unchanged(user).update(password=hashed, **more)
    if changed:
        sessions.sessions_end(user_id=user.pk, reason=RefreshFamily.Reason.PASSWORD)
    return bool(changed)


def _unchanged(user: User) -> QuerySet[User]:
    """The condition of the UPDATE: of several that checked the same password, one gets through."""
    return User.objects.filter(pk=user.pk, password=user.password, email=user.email, is_active=True)


def email_verification_request(*, user_id: int) -> None:
    """Mail the link again; the task finds out whether there is a need."""
    verification_enqueue(user_id=user_id)


def email_verification_send(*, user_id: int, nonce: str) -> None:
    """Mail the link that verifies the user's address, unless it is verified already."""
    user = selectors.unverified(user_id=user_id)
    if user is None or not store.may_send("verify", user.pk, nonce):
        return
    lifetime = timedelta(seconds=settings.EMAIL_VERIFY_SECONDS)
    token = tokens.make(tokens.VERIFY, user, now=clock.now(), lifetime=lifetime)
    url = gateway.link("verify", token)
    with store.sending("verify", user.pk, nonce):
        gateway.send("verify", to=user.email, user=user, url=url, token=token, lifetime=lifetime)


@transactional
def email_verify(*, token: str) -> None:
    """The address is its user's. Twice is as good as once. Raises LinkNotValid."""
    user = selectors.owner(purpose=tokens.VERIFY, token=token)
    mine = User.objects.filter(pk=user.pk, email=user.email)
    mine.update(email_verified_at=_now_at_the_latest())


def _now_at_the_latest() -> Coalesce:
    return Coalesce("email_verified_at", Now())
