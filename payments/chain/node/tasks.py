"""Blocks by the clock."""

from celery import shared_task
from django.conf import settings

from payments.chain.node import services


@shared_task(name="payments.chain.node.mine", ignore_result=True)
def mine() -> bool:
    """One block where there is something to mine; nothing where there is no mock chain."""
    if not settings.MOCK_CHAIN:
        return False
    services.chain_ensure()
    return services.blocks_mine_due()
