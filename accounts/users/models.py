"""Who you are."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower, Now

from accounts.users import rules


def validate_username(value: str) -> None:
    if not rules.username_valid(value):
        raise ValidationError("3 to 30 letters, digits, dots, dashes, underscores.", "invalid")


class UserManager(BaseUserManager["User"]):
    """Makes users with a normalised e-mail and a hashed password; IntegrityError on a duplicate."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.clean()
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=rules.email_normalise(username or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """A customer or a member of staff. `uid` leaves the server, the row number never does."""

    uid = models.UUIDField(default=uuid.uuid4, editable=False)
    email = models.EmailField(max_length=rules.EMAIL_MAX)
    # Shown as it was typed; unique and found whatever its case.
    username = models.CharField(
        max_length=rules.USERNAME_MAX, blank=True, validators=[validate_username]
    )
    name = models.CharField(max_length=rules.NAME_MAX, blank=True)
    # When a link that was mailed to `email`, as it is now, came back.
    email_verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    joined_at = models.DateTimeField(db_default=Now(), editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["uid"], name="user_uid_once"),
            models.UniqueConstraint(
                fields=["email"],
                name="user_email_once",
                violation_error_message="This e-mail address is taken.",
            ),
            models.UniqueConstraint(
                Lower("username"),
                name="user_username_once",
                violation_error_message="This username is taken.",
            ),
        ]

    def __str__(self) -> str:
        return self.username

    def clean(self) -> None:
        """The stored form of e-mail and username, whichever way the row is written."""
        self.email = rules.email_normalise(self.email)
        self.username = self.username or rules.username_derive()

    @property
    def display_name(self) -> str:
        """What other customers may see (the leaderboard)."""
        return self.username

    def get_short_name(self) -> str:
        return self.name or self.username
