"""Change and reset a password, verify an e-mail address."""

from functools import partial

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.credentials import services
from accounts.credentials.errors import LinkNotValid, WrongPassword
from accounts.credentials.serializers import (
    EmailVerifyIn,
    PasswordChangeIn,
    PasswordResetConfirmIn,
    PasswordResetIn,
)
from accounts.sessions.api import OpenView
from accounts.sessions.authentication import principal
from accounts.throttling import services as throttling
from accounts.users.errors import WeakPassword
from common.addresses import client_address
from common.api.docs import operation
from common.api.serializers import StrictSerializer
from common.api.views import ApiView


class PasswordChange(ApiView):
    @operation(
        "Change your password",
        description="Every session ends at once, the caller's too: sign in again afterwards.",
        request=PasswordChangeIn,
        answers={204: None},
        refusals=(WrongPassword, WeakPassword),
        attempts=partial(throttling.limits, "password", counts=throttling.FAILED),
        tags=["accounts"],
    )
    def post(self, request: Request) -> Response:
        body, me = self.body(request, PasswordChangeIn), principal(request)
        with throttling.attempt("password", account=str(me.uid), address=client_address(request)):
            services.password_change(user_id=me.pk, **body)
        return Response(status=204)


class PasswordReset(OpenView):
    @operation(
        "Have a link mailed that sets a new password",
        description="The answer is the same whether or not somebody has this address.",
        request=PasswordResetIn,
        answers={204: None},
        attempts=partial(throttling.limits, "reset", counts=throttling.ALL),
        tags=["accounts"],
    )
    def post(self, request: Request) -> Response:
        body = self.body(request, PasswordResetIn)
        throttling.count("reset", account=body["email"], address=client_address(request))
        services.password_reset_request(**body)
        return Response(status=204)


class PasswordResetConfirm(OpenView):
    @operation(
        "Set a new password with the token of a mailed link",
        description="A token works once, for an hour. Every session ends at once.",
        request=PasswordResetConfirmIn,
        answers={204: None},
        refusals=(LinkNotValid, WeakPassword),
        attempts=partial(throttling.limits, "link", counts=throttling.FAILED),
        tags=["accounts"],
    )
    def post(self, request: Request) -> Response:
        body, address = self.body(request, PasswordResetConfirmIn), client_address(request)
        with throttling.attempt("link", address=address):
            user = services.password_reset(**body)
        throttling.trust(account=user.email, address=address)
        return Response(status=204)


class EmailVerify(OpenView):
    @operation(
        "Verify an e-mail address with the token of a mailed link",
        request=EmailVerifyIn,
        answers={204: None},
        refusals=(LinkNotValid,),
        attempts=partial(throttling.limits, "link", counts=throttling.FAILED),
        tags=["accounts"],
    )
    def post(self, request: Request) -> Response:
        body = self.body(request, EmailVerifyIn)
        with throttling.attempt("link", address=client_address(request)):
            services.email_verify(**body)
        return Response(status=204)


class EmailVerifyResend(ApiView):
    @operation(
        "Have the link that verifies your e-mail address mailed again",
        description="Nothing is mailed where the address is verified already.",
        request=None,
        answers={204: None},
        attempts=partial(throttling.limits, "resend", counts=throttling.ALL),
        tags=["accounts"],
    )
    def post(self, request: Request) -> Response:
        self.body(request, StrictSerializer)
        me = principal(request)
        throttling.count("resend", account=str(me.uid), address=client_address(request))
        services.email_verification_request(user_id=me.pk)
        return Response(status=204)
