"""Somebody whom the rules against fraud let through."""

from payments.risk.models import RiskAllowance
from payments.risk.services import allowance_create
from tests.factories.users import StaffFactory, UserFactory


def allowed() -> RiskAllowance:
    return allowance_create(
        user_id=UserFactory().pk, network=None, reason="a test", actor_id=StaffFactory().pk
    )
