"""Every route."""

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.i18n import set_language
from django.views.static import serve
from drf_spectacular.views import (
    SpectacularAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)

from accounts import urls as accounts
from common import urls as common
from config import health
from config.metrics import views as metrics
from dashboards import urls as dashboards
from payments import urls as payments
from shop import urls as shop

api: list[URLPattern | URLResolver] = [
    path("auth/", include(accounts.auth)),
    *accounts.public,
    *shop.public,
    *payments.public,
    *dashboards.public_api,
    path(
        "admin/",
        include(
            [
                *accounts.staff,
                *shop.staff,
                *payments.staff,
                *dashboards.staff_api,
                *common.staff,
            ]
        ),
    ),
]

swagger = SpectacularSwaggerSplitView.as_view(url_name="schema")
# Redoc writes style elements of its own, and searches in a worker that it makes from a blob.
redoc = csp_replace({"style-src": [SELF, UNSAFE_INLINE], "worker-src": ["blob:"]})(
    SpectacularRedocView.as_view(url_name="schema")
)

urlpatterns = [
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("metrics", metrics.show),
    # Before the admin's own, which answers whatever is below its address.
    path("admin/", include([*shop.back, *payments.back])),
    path("admin/dashboard/", include(dashboards.staff_pages)),
    path("admin/", admin.site.urls),
    path("account/", include(accounts.pages)),
    # No token, so that pages need no cookie: somebody else's form changes a language at worst.
    path("language/", csrf_exempt(set_language), name="set-language"),
    *dashboards.pages,
    path("pay/", include(payments.pages)),
    path("api/v1/", include(api)),
    path("api/", include(payments.assigned)),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", swagger),
    path("swagger/", swagger),
    path("api/redoc/", redoc),
    path("redoc/", redoc),
    path("webhooks/", include(payments.webhooks)),
    # Uploaded pictures, re-encoded by us; a proxy in front may serve the folder itself.
    path("media/<path:path>", serve, {"document_root": settings.MEDIA_ROOT}),
]
if settings.MOCK_CHAIN:
    urlpatterns += payments.mock_chain

handler400 = "common.api.errors.bad_request"
handler403 = "common.api.errors.forbidden"
handler404 = "common.api.errors.not_found"
handler500 = "common.api.errors.server_error"
