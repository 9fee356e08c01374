"""`/api/v1/auth/`."""

from django.urls import path

from accounts.sessions import api as sessions
from accounts.users import api as users

urlpatterns = [
    path("register/", sessions.Register.as_view(), name="register"),
    path("token/", sessions.SignIn.as_view(), name="token"),
    path("token/refresh/", sessions.Refresh.as_view(), name="token-refresh"),
    path("token/verify/", sessions.Verify.as_view(), name="token-verify"),
    path("logout/", sessions.SignOut.as_view(), name="logout"),
    path("me/", users.Me.as_view(), name="me"),
]
