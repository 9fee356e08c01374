"""Rows that are written once: the code has no way to change or delete them.

The application's database user needs no such right either (`manage.py grant_rights`).
"""

from typing import Any, ClassVar, NoReturn, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class Immutable(TypeError):
    """An attempt to change or delete a row that is written once."""


class AppendOnlyQuerySet(models.QuerySet[M]):
    def update(self, **_: Any) -> NoReturn:
        raise Immutable(f"{self.model.__name__} rows are never changed")

    def delete(self) -> NoReturn:
        raise Immutable(f"{self.model.__name__} rows are never deleted")

    def bulk_update(self, *_: Any, **__: Any) -> NoReturn:
        raise Immutable(f"{self.model.__name__} rows are never changed")


AppendOnlyManager = models.Manager.from_queryset(AppendOnlyQuerySet)


class AppendOnly(models.Model):
    """Base of tables whose rows are facts."""

    objects: ClassVar[Any] = AppendOnlyManager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise Immutable(f"{type(self).__name__} rows are never changed")
        super().save(*args, **kwargs)

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        raise Immutable(f"{type(self).__name__} rows are never deleted")
