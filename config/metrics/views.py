"""Who may read `/metrics`, and the answer."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from common import errors, metrics
from common.addresses import is_trusted, parsed
from common.api import problems
from config.metrics.figures import Shop

NEAR: Final = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1", "fc00::/7")


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    """For who has METRICS_TOKEN; without one, for who comes from this network and by no proxy."""
    if not _may_read(request):
        return problems.plain(errors.NotFound(), request)
    return HttpResponse(metrics.exposed(Shop()), content_type=metrics.CONTENT_TYPE)


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and constant_time_compare(token, settings.METRICS_TOKEN)
    # A proxy adds the header, and everybody who comes through it has its address.
    return "X-Forwarded-For" not in request.headers and is_near(request.META["REMOTE_ADDR"])


def is_near(address: str) -> bool:
    """Whether it is this machine's, or of a network that the world cannot reach."""
    return is_trusted(found, NEAR) if (found := parsed(address)) else False
