"""The wallet as clients see it."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.ledger.models import Posting
from common.api.serializers import AMOUNT, CursorQuery
from common.money import DECIMALS, to_text


class BalanceOut(serializers.Serializer[Any]):
    currency = serializers.CharField()
    available = serializers.SerializerMethodField()
    held = serializers.SerializerMethodField(help_text="set aside for what is not decided yet")

    @extend_schema_field(AMOUNT)
    def get_available(self, row: dict[str, Any]) -> str:
        return to_text(row["available"], row["currency"])

    @extend_schema_field(AMOUNT)
    def get_held(self, row: dict[str, Any]) -> str:
        return to_text(row["held"], row["currency"])


class WalletOut(serializers.Serializer[Any]):
    balances = BalanceOut(many=True)


class EntryOut(serializers.Serializer[Posting]):
    """One movement; `amount` is negative where money went out, `balance` is after it."""

    id = serializers.UUIDField(source="transfer.uid")
    kind = serializers.CharField(source="transfer.kind")
    about = serializers.CharField(source="transfer.about")
    currency = serializers.CharField()
    amount = serializers.SerializerMethodField()
    balance = serializers.SerializerMethodField(help_text="what is held included")
    created_at = serializers.DateTimeField(source="transfer.created_at")

    @extend_schema_field(AMOUNT)
    def get_amount(self, entry: Posting) -> str:
        return to_text(entry.signed, entry.currency)

    @extend_schema_field(AMOUNT)
    def get_balance(self, entry: Posting) -> str:
        return to_text(entry.balance, entry.currency)


class EntryQuery(CursorQuery):
    currency = serializers.ChoiceField(sorted(DECIMALS), required=False)


class TrialRowOut(serializers.Serializer[Any]):
    currency = serializers.CharField()
    debit = serializers.SerializerMethodField()
    credit = serializers.SerializerMethodField()
    difference = serializers.SerializerMethodField(help_text="always zero")

    @extend_schema_field(AMOUNT)
    def get_debit(self, row: dict[str, Any]) -> str:
        return to_text(row["debit"], row["currency"])

    @extend_schema_field(AMOUNT)
    def get_credit(self, row: dict[str, Any]) -> str:
        return to_text(row["credit"], row["currency"])

    @extend_schema_field(AMOUNT)
    def get_difference(self, row: dict[str, Any]) -> str:
        return to_text(row["difference"], row["currency"])


class TrialBalanceOut(serializers.Serializer[Any]):
    currencies = TrialRowOut(many=True)
