"""Places in a waiting room, as clients see them."""

from typing import Any

from rest_framework import serializers

from common.api.serializers import QuerySerializer
from shop.flash_sales.waiting.rules import PlaceStatus

PLACES = [status.value for status in PlaceStatus]
MOST_TICKET = 400


class TicketQuery(QuerySerializer):
    ticket = serializers.CharField(max_length=MOST_TICKET, required=False)


class PlaceOut(serializers.Serializer[Any]):
    """`open`: the sale has no waiting room. `lapsed`: its time to buy has passed."""

    run = serializers.IntegerField(help_text="The run's number.")
    status = serializers.ChoiceField(PLACES)
    position = serializers.IntegerField(help_text="1 is next; 0 from when it is one's turn.")
    wait_seconds = serializers.IntegerField(help_text="At the rate of now.")
    admitted_until = serializers.DateTimeField(allow_null=True)
    ticket = serializers.CharField(allow_null=True, help_text="Goes with the purchase.")
