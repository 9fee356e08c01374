"""For controls: a request that says so has its view's work done twice."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

HEADER = "X-Twice"


class Twice:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        if HEADER in request.headers:
            answer = view(request, *args, **kwargs)
            if hasattr(answer, "render"):
                answer.render()
