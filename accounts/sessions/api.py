"""Register, sign in, refresh, verify, sign out.

No authentication class: an expired access token in the header must hinder none of these.
"""

from functools import partial

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions import services
from accounts.sessions.errors import (
    InvalidCredentials,
    TokenExpired,
    TokenNotValid,
    TokenReused,
    TokenRevoked,
)
from accounts.sessions.serializers import (
    CredentialsIn,
    Nothing,
    PairOut,
    RefreshIn,
    RegisteredOut,
    VerifyIn,
)
from accounts.throttling import services as throttling
from accounts.users.errors import EmailTaken, UsernameTaken, WeakPassword
from accounts.users.rules import identifier_normalise
from accounts.users.serializers import RegisterIn
from accounts.users.services import user_register
from common.addresses import client_address
from common.api.docs import operation
from common.api.views import ApiView


class OpenView(ApiView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class Register(OpenView):
    @operation(
        "Register, and sign in",
        request=RegisterIn,
        answers={201: RegisteredOut},
        refusals=(EmailTaken, UsernameTaken, WeakPassword),
        attempts=partial(throttling.limits, "register", counts=throttling.ALL),
        tags=["accounts"],
    )
    def post(self, request: Request) -> Response:
        body, address = self.body(request, RegisterIn), client_address(request)
        throttling.count("register", account=body["email"], address=address)
        user = user_register(**body, mailed=True)
        throttling.trust(account=user.email, address=address)
        pair = services.session_start(user_id=user.pk)
        made = {"user": user, "access": pair.access, "refresh": pair.refresh}
        return Response(RegisteredOut(made).data, status=201)


class SignIn(OpenView):
    @operation(
        "Sign in by e-mail or username",
        request=CredentialsIn,
        answers={200: PairOut},
        refusals=(InvalidCredentials,),
        attempts=partial(throttling.limits, "sign_in", counts=throttling.FAILED),
        tags=["accounts"],
    )
    def post(self, request: Request) -> Response:
        body = self.body(request, CredentialsIn)
        account = identifier_normalise(body["identifier"])
        with throttling.attempt("sign_in", account=account, address=client_address(request)):
            pair = services.session_open(**body)
        return Response(PairOut(pair).data)


class Refresh(OpenView):
    @operation(
        "Exchange a refresh token for a new pair",
        description="Each refresh token works once; using one again ends the whole session.",
        request=RefreshIn,
        answers={200: PairOut},
        refusals=(TokenNotValid, TokenExpired, TokenRevoked, TokenReused),
        attempts=partial(throttling.limits, "refresh", counts=throttling.ALL),
        tags=["accounts"],
    )
    def post(self, request: Request) -> Response:
        body, address = self.body(request, RefreshIn), client_address(request)
        throttling.count("refresh", account=services.session_name(**body), address=address)
        return Response(PairOut(services.session_refresh(**body)).data)


class Verify(OpenView):
    @operation(
        "Whether an access or refresh token could be used now",
        request=VerifyIn,
        answers={200: Nothing},
        refusals=(TokenNotValid, TokenExpired, TokenRevoked),
        tags=["accounts"],
    )
    def post(self, request: Request) -> Response:
        services.session_verify(**self.body(request, VerifyIn))
        return Response({})


class SignOut(OpenView):
    @operation(
        "Sign out: the session and its access tokens end at once",
        request=RefreshIn,
        answers={204: None},
        refusals=(TokenNotValid, TokenExpired),
        tags=["accounts"],
    )
    def post(self, request: Request) -> Response:
        services.session_close(**self.body(request, RefreshIn))
        return Response(status=204)
