"""`auth` below /api/v1/auth/, `public` below /api/v1/, `staff` below /api/v1/admin/, `pages` below
/account/.
"""

from django.urls import path

from accounts.credentials import api as credentials
from accounts.credentials import pages as links
from accounts.ledger import api as ledger
from accounts.sessions import api as sessions
from accounts.users import api as users

auth = [
    path("register/", sessions.Register.as_view(), name="register"),
    path("token/", sessions.SignIn.as_view(), name="token"),
    path("token/refresh/", sessions.Refresh.as_view(), name="token-refresh"),
    path("token/verify/", sessions.Verify.as_view(), name="token-verify"),
    path("logout/", sessions.SignOut.as_view(), name="logout"),
    path("me/", users.Me.as_view(), name="me"),
    path("password/change/", credentials.PasswordChange.as_view(), name="password-change"),
    path("password/reset/", credentials.PasswordReset.as_view(), name="password-reset"),
    path(
        "password/reset/confirm/",
        credentials.PasswordResetConfirm.as_view(),
        name="password-reset-confirm",
    ),
    path("email/verify/", credentials.EmailVerify.as_view(), name="email-verify"),
    path("email/verify/resend/", credentials.EmailVerifyResend.as_view(), name="email-resend"),
]

pages = [
    path("reset/", links.reset, name="link-reset"),
    path("verify/", links.verify, name="link-verify"),
]

public = [
    path("wallet/", ledger.Wallet.as_view()),
    path("wallet/entries/", ledger.WalletEntries.as_view()),
]

staff = [path("ledger/trial-balance/", ledger.TrialBalance.as_view())]
