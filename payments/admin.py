"""The admin pages of `payments`, for Django to find."""

from payments.checkout import admin as checkout
from payments.crypto import admin as crypto
from payments.exchange import admin as exchange
from payments.intake import admin as intake
from payments.market import admin as market
from payments.notices import admin as notices
from payments.risk import admin as risk
from payments.stripe import admin as stripe

__all__ = ["checkout", "crypto", "exchange", "intake", "market", "notices", "risk", "stripe"]
