"""Register, change and deactivate users."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model

from accounts.sessions import services as sessions
from accounts.sessions.models import RefreshFamily
from accounts.users import selectors
from accounts.users.errors import EmailTaken, UsernameTaken, WeakPassword
from accounts.users.models import User
from common.audit.services import changes_of, record
from common.db import transactional
from common.outbox import services as outbox

ROLE_FIELDS: Final = {"is_staff", "is_superuser"}
FLAGS: Final = ("is_active", "is_staff", "is_superuser")
# The audit log is never deleted from: that they changed is kept there, not what they were.
PERSONAL: Final = ("email", "username", "name")


def user_register(
    *, email: str, password: str, username: str = "", name: str = "", mailed: bool = False
) -> User:
    """A new customer; without a username one is made up, never from the e-mail.

    `mailed`: a task sends the link that verifies the address. Raises WeakPassword, EmailTaken,
    UsernameTaken.
    """
    user = User(email=email, username=username, name=name)
    user.clean()
    password_check(password, user)
    # Hashed before the transaction: argon2 takes its time on purpose.
    user.set_password(password)
    _add(user, mailed=mailed)
    return user


def password_check(password: str, user: User, *, field: str = "password") -> None:
    """Raises WeakPassword, which names `field`."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(*error.messages, field=field) from error


@transactional
def _add(user: User, *, mailed: bool) -> None:
    _save(user)
    if mailed:
        verification_enqueue(user_id=user.pk)


@transactional
def verification_enqueue(*, user_id: int) -> None:
    """Have the link that verifies the user's address mailed; the task makes the token."""
    task = "accounts.credentials.send_verification"
    outbox.enqueue(task, user_id=user_id, nonce=uuid4().hex)


@transactional
def _save(user: User, fields: list[str] | None = None) -> None:
    with _duplicates_named():
        user.save(update_fields=fields)


@contextmanager
def _duplicates_named() -> Iterator[None]:
    try:
        # A savepoint, so that the caller's transaction survives the refusal.
        with transaction.atomic():
            yield
    except IntegrityError as error:
        # MySQL quotes the value before "for key": it may itself contain a column's name.
        where = str(error).rpartition(" for key ")[2]
        if "email" in where:
            raise EmailTaken from error
        if "username" in where:
            raise UsernameTaken from error
        raise


def user_update(*, user_id: int, name: str | None = None, username: str | None = None) -> User:
    """Change what a user may change of themselves. Raises UsernameTaken, NotFound."""
    user = selectors.user_get(user_id=user_id)
    changes = {"name": name, "username": username}
    given = {field: value for field, value in changes.items() if value is not None}
    for field, value in given.items():
        setattr(user, field, value)
    if given:
        _save(user, list(given))
    return user


@transactional
def user_save(*, user: User, changed: Collection[str], actor_id: int | None = None) -> None:
    """Store what staff changed on `user`: sessions end or learn their new role with it.

    Raises EmailTaken, UsernameTaken.
    """
    user.clean()
    before = User.objects.filter(pk=user.pk).first()
    if "email" in changed:
        user.email_verified_at = None
    # Not the password: one that was set since the form read the row would be undone.
    _save(user, [*FLAGS, *PERSONAL, "email_verified_at"] if before else None)
    _audit_saved(before, user, actor_id)
    if not user.is_active:
        sessions.sessions_end(user_id=user.pk, reason=RefreshFamily.Reason.DEACTIVATED)
    elif ROLE_FIELDS.intersection(changed):
        sessions.sessions_reload(user_id=user.pk)


def _audit_saved(before: User | None, user: User, actor_id: int | None) -> None:
    if before is None:
        made = {**_flags(user), "password": user.has_usable_password()}
        _audit(actor_id, "user.create", user, changes_of({}, made))
        return
    data: dict[str, Any] = changes_of(_flags(before), _flags(user))
    personal = [name for name in PERSONAL if getattr(before, name) != getattr(user, name)]
    if personal:
        data["changed"] = personal
    if data:
        _audit(actor_id, "user.update", user, data)


def _flags(user: User) -> dict[str, Any]:
    return {name: getattr(user, name) for name in FLAGS}


def _audit(actor_id: int | None, action: str, user: User, data: Mapping[str, Any]) -> None:
    record(actor_id=actor_id, action=action, target=f"user:{user.uid}", data=data)


@transactional
def powers_audit(*, of: Model, before: Mapping[str, Any], actor_id: int | None) -> None:
    """Write down what became of a user's or a group's powers since `before`, if anything did."""
    changed = changes_of(before, selectors.powers(of))
    if changed:
        kind, key = ("user", of.uid) if isinstance(of, User) else ("group", of.pk)
        record(actor_id=actor_id, action=f"{kind}.powers", target=f"{kind}:{key}", data=changed)


@transactional
def group_delete(*, group: Group, actor_id: int | None) -> None:
    """Its members lose what the group allowed them."""
    data = {"name": group.name, **selectors.powers(group)}
    record(actor_id=actor_id, action="group.delete", target=f"group:{group.pk}", data=data)
    group.delete()


@transactional
def user_deactivate(*, user_id: int, actor_id: int | None = None) -> None:
    """No more sign-ins, and every session ends at once. Twice is as good as once."""
    if User.objects.filter(pk=user_id, is_active=True).update(is_active=False):
        user = selectors.user_get(user_id=user_id)
        _audit(actor_id, "user.update", user, {"is_active": [True, False]})
    sessions.sessions_end(user_id=user_id, reason=RefreshFamily.Reason.DEACTIVATED)
