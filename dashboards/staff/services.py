"""What the dashboard's forms do that one service of the shop alone does not."""

from datetime import datetime

from common.db import transactional
from common.idempotency.services import bind
from shop.catalogue import services as catalogue
from shop.catalogue.services import Changes


@transactional
def terms_change(*, slug: str, changes: Changes, seen: datetime, actor_id: int) -> None:
    """A product's new terms, once for each form. Raises as `product_update`."""
    # A change of a product has no key of its own: sent twice, it would otherwise wait for itself.
    bind(f"product:{slug}", status=200)
    catalogue.product_update(slug=slug, changes=changes, actor_id=actor_id, seen=seen)
