"""The shop's routes, and one that does nothing: what every request costs."""

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.views import ApiView
from config.urls import handler400, handler403, handler404, handler500
from config.urls import urlpatterns as shop_urls

__all__ = ["EMPTY", "handler400", "handler403", "handler404", "handler500", "urlpatterns"]

EMPTY = "/empty/"


class Empty(ApiView):
    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [*shop_urls, path(EMPTY.strip("/") + "/", Empty.as_view())]
