"""The only place that locks the mock chain."""

from payments.chain.node.models import MockHead


def head() -> MockHead:
    """Lock the chain. Pool, blocks and balances are one state, and every change reads it first:
    two transactions with one nonce would both find the place free.
    """
    return MockHead.objects.select_for_update().get(pk=1)
