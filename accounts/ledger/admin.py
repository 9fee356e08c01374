"""Accounts, transfers and holds in the admin, to look at."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.ledger.models import Account, Hold, Posting, Transfer
from common.admin.base import Newest, PartInline, ReadOnlyAdmin
from common.admin.display import EMPTY, amount, link, some


class StatementInline(PartInline):
    model = Posting
    formset = Newest
    verbose_name_plural = "newest entries"
    fields = ("transfer_link", "kind", "about", "shown_amount", "shown_balance", "at")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        return super().get_queryset(request).select_related("transfer")

    @admin.display(description="transfer")
    def transfer_link(self, posting: Posting) -> str:
        return link(posting.transfer)

    @admin.display
    def kind(self, posting: Posting) -> str:
        return posting.transfer.kind

    @admin.display
    def about(self, posting: Posting) -> str:
        return posting.transfer.about or EMPTY

    @admin.display(description="amount")
    def shown_amount(self, posting: Posting) -> str:
        return f"{posting.side} {amount(posting.amount, posting.currency)}"

    @admin.display(description="balance")
    def shown_balance(self, posting: Posting) -> str:
        return some(posting.balance, posting.currency)

    @admin.display(description="at")
    def at(self, posting: Posting) -> str:
        return f"{posting.transfer.created_at:%Y-%m-%d %H:%M:%S}"


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ("key", "kind", "currency", "shown_available", "shown_held")
    list_filter = ("kind", "currency")
    search_fields = ("=key", "owner__email", "owner__username")
    ordering = ("pk",)
    fields = ("key", "kind", "currency", "shown_owner", "shown_available", "shown_held")
    inlines = (StatementInline,)

    @admin.display(description="customer")
    def shown_owner(self, account: Account) -> str:
        return link(account.owner)

    @admin.display(description="available")
    def shown_available(self, account: Account) -> str:
        return some(account.available, account.currency)

    @admin.display(description="held")
    def shown_held(self, account: Account) -> str:
        return some(account.held, account.currency)


class PostingInline(PartInline):
    model = Posting
    fields = ("shown_account", "side", "shown_amount")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        return super().get_queryset(request).select_related("account")

    @admin.display(description="account")
    def shown_account(self, posting: Posting) -> str:
        return link(posting.account)

    @admin.display(description="amount")
    def shown_amount(self, posting: Posting) -> str:
        return amount(posting.amount, posting.currency)


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    list_display = ("reference", "kind", "about", "created_at")
    list_filter = ("kind", "created_at")
    search_fields = ("=reference", "=uid", "about")
    date_hierarchy = "created_at"
    ordering = ("-pk",)
    fields = ("uid", "reference", "kind", "about", "created_at")
    inlines = (PostingInline,)


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = ("reference", "shown_account", "status", "shown_amount", "expires_at")
    list_filter = ("status", "created_at")
    list_select_related = ("account",)
    search_fields = ("=reference", "=uid", "account__key")
    ordering = ("-pk",)
    fields = (
        "uid",
        "reference",
        "shown_account",
        "status",
        "shown_amount",
        "shown_posted",
        "about",
        "created_at",
        "expires_at",
        "decided_at",
    )

    @admin.display(description="account")
    def shown_account(self, hold: Hold) -> str:
        return link(hold.account)

    @admin.display(description="amount")
    def shown_amount(self, hold: Hold) -> str:
        return amount(hold.amount, hold.account.currency)

    @admin.display(description="posted")
    def shown_posted(self, hold: Hold) -> str:
        return some(hold.posted, hold.account.currency)
