"""Transactions that buyers name."""

from typing import Any, ClassVar

from rest_framework import serializers

from common.api.serializers import StrictCharField, StrictSerializer
from payments.crypto.rules import Seen

# 8 KiB in hexadecimal digits, and `0x`.
MOST_RAW = 2 * 8 * 1024 + 2


class TransactionIn(StrictSerializer):
    """A signed transaction, or the hash of one that was sent: one of the two."""

    example: ClassVar = {"tx_hash": "0x" + "ab" * 32}

    default_error_messages = {"one_of_two": "Send either raw_transaction or tx_hash."}

    raw_transaction = StrictCharField(max_length=MOST_RAW, required=False)
    tx_hash = StrictCharField(max_length=66, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError(self.error_messages["one_of_two"], code="one_of_two")
        return attrs


class TransactionOut(serializers.Serializer[Any]):
    """`unknown`: the chain does not have it yet; it is waited for."""

    tx_hash = serializers.CharField()
    status = serializers.ChoiceField([seen.value for seen in Seen])
