"""In which language an answer is: pages in their reader's, everything else in English."""

from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers

# Of programs and of staff: a refusal in another language would be another text to each caller.
ENGLISH: Final = (
    "/api/",
    "/admin/",
    "/webhooks/",
    "/mockchain/",
    "/swagger/",
    "/redoc/",
    "/static/",
    "/media/",
    "/livez",
    "/readyz",
)


class PageLanguage(LocaleMiddleware):
    """Django's, but for pages only: by the reader's choice (a cookie), else by Accept-Language."""

    def process_request(self, request: HttpRequest) -> None:
        if is_page(request):
            super().process_request(request)
        else:
            # A thread keeps the language of the page that it has made before.
            translation.deactivate()

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if not is_page(request):
            return response
        patch_vary_headers(response, ["Cookie"])
        return super().process_response(request, response)


def is_page(request: HttpRequest) -> bool:
    return not request.path_info.startswith(ENGLISH)
