"""Users of every kind, and clients that speak for them."""

from typing import Any

import factory
from rest_framework.test import APIClient

from accounts.sessions.services import session_start
from accounts.users.models import User

PASSWORD = "correct-horse-battery-9"


class UserFactory(factory.django.DjangoModelFactory[User]):
    """A customer whose password is PASSWORD."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"customer{n}@example.org")
    username = factory.Sequence(lambda n: f"Customer{n}")
    # Made up at random, a name is now and then too similar to a test's password.
    name = factory.Sequence(lambda n: f"Pat Buyer {n}")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(password=kwargs.pop("password", PASSWORD), **kwargs)


class StaffFactory(UserFactory):
    email = factory.Sequence(lambda n: f"staff{n}@example.org")
    username = factory.Sequence(lambda n: f"staff{n}")
    is_staff = True


class SuperuserFactory(StaffFactory):
    email = factory.Sequence(lambda n: f"root{n}@example.org")
    username = factory.Sequence(lambda n: f"root{n}")
    is_superuser = True


def client_for(user: User) -> APIClient:
    """A client with a real access token of a real session."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {session_start(user_id=user.pk).access}")
    return client
