"""`me/`: the signed-in user's own record."""

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from accounts.users import selectors, services
from accounts.users.errors import UsernameTaken
from accounts.users.serializers import MeIn, UserOut
from common.api.docs import operation
from common.api.views import ApiView


class Me(ApiView):
    @operation("Your own record", answers={200: UserOut}, tags=["accounts"])
    def get(self, request: Request) -> Response:
        return Response(UserOut(selectors.user_get(user_id=principal(request).pk)).data)

    @operation(
        "Change your name or username",
        request=MeIn,
        answers={200: UserOut},
        refusals=(UsernameTaken,),
        tags=["accounts"],
    )
    def patch(self, request: Request) -> Response:
        user = services.user_update(user_id=principal(request).pk, **self.body(request, MeIn))
        return Response(UserOut(user).data)
