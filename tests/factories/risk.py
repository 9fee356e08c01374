"""Somebody whom the rules against fraud let through."""

from payments.risk.models import RiskAllowance
from payments.risk.services import allowance_create
from tests.factories.users import UserFactory


def allowed() -> RiskAllowance:
    user_id = UserFactory().pk
    return allowance_create(user_id=user_id, network=None, reason="a test", actor_id=user_id)
