"""The pages' words for kinds and states."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.exports.rules import Kind, Status

KINDS: Final[dict[str, Promise]] = {
    Kind.ORDERS: _("Orders, line by line"),
    Kind.PAYMENTS: _("Payments"),
    Kind.REFUNDS: _("Refunds"),
    Kind.PRODUCTS: _("Products (an import takes this file)"),
    Kind.STOCK: _("Stock"),
    Kind.CUSTOMERS: _("Customers"),
    Kind.LEDGER: _("Ledger entries"),
    Kind.EXCHANGE_ORDERS: _("Exchange orders"),
}
STATUSES: Final[dict[str, Promise]] = {
    Status.PENDING: _("waiting"),
    Status.RUNNING: _("being made"),
    Status.DONE: _("ready"),
    Status.FAILED: _("failed"),
    Status.EXPIRED: _("no longer kept"),
}
