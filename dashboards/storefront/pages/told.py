"""What all pages of the storefront share: refusals as pages, and who is signed in."""

import functools
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from common.errors import NotFound, SoukError
from dashboards.storefront.words import words_of

View = Callable[..., HttpResponse]


def told(view: View) -> View:
    """A refusal that the view does not show itself becomes a page that says it in words."""

    @functools.wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Http404:
            return problem(request, NotFound())
        except SoukError as error:
            return problem(request, error)

    return wrapper


def problem(request: HttpRequest, error: SoukError) -> HttpResponse:
    shown = {"words": words_of(error), "is_missing": error.status == NotFound.status}
    return render(request, "storefront/problem.html", shown, status=error.status)


def members(view: View) -> View:
    """Whoever is not signed in signs in first and comes back; outermost, before all else."""

    @functools.wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        # A form's own address shows nothing.
        here = request.path if request.method in ("GET", "HEAD") else reverse("purchases")
        return redirect(sign_in_and_back(here))

    return wrapper


def user_id(request: HttpRequest) -> int:
    return cast(int, request.user.pk)


def sign_in_and_back(to: str) -> str:
    return f"{reverse('sign-in')}?{urlencode({'next': to})}"


def next_of(request: HttpRequest) -> str:
    """Where to go after signing in: a path of this server, or the home page."""
    asked = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(asked, allowed_hosts=None)
    return asked if ours and asked.startswith("/") else reverse("home")
