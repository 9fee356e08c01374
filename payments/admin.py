"""The admin pages of `payments`, for Django to find."""

from payments.checkout import admin as checkout
from payments.intake import admin as intake
from payments.notices import admin as notices
from payments.risk import admin as risk
from payments.stripe import admin as stripe

__all__ = ["checkout", "intake", "notices", "risk", "stripe"]
