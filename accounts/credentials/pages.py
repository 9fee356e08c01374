"""The pages that mailed links lead to. A script sends the token, which no server's log has seen."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def reset(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/link/reset.html")


@require_safe
def verify(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/link/verify.html")
