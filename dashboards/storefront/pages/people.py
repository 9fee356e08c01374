"""Register, sign in, sign out: a session of Django's, which the API does not know."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.users.errors import EmailTaken, UsernameTaken, WeakPassword
from common.errors import SoukError
from dashboards.storefront import services
from dashboards.storefront.forms import RegisterForm, SignInForm
from dashboards.storefront.pages.told import next_of, told
from dashboards.storefront.words import words_of


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@told
def register(request: HttpRequest) -> HttpResponse:
    form = RegisterForm(request.POST if request.method == "POST" else None)
    if not form.is_bound or not form.is_valid():
        return _form(request, "storefront/register.html", form, 400 if form.is_bound else 200)
    try:
        services.register(request, **form.cleaned_data)
    except (EmailTaken, UsernameTaken, WeakPassword) as error:
        _put(form, error)
        return _form(request, "storefront/register.html", form, error.status)
    except SoukError as error:
        form.add_error(None, words_of(error))
        return _form(request, "storefront/register.html", form, error.status)
    messages.success(request, _("Welcome! Your account is made."))
    return redirect(next_of(request))


def _put(form: RegisterForm, error: SoukError) -> None:
    """Each refusal at its field, in words of pages where there are some."""
    for item in error.errors:
        field = item["field"] if item["field"] in form.fields else None
        form.add_error(field, words_of(error) if field != "password" else item["detail"])
        if field:
            attrs = form.fields[field].widget.attrs
            attrs |= {"aria-invalid": "true", "aria-describedby": f"id_{field}_wrong"}


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@told
def sign_in(request: HttpRequest) -> HttpResponse:
    form = SignInForm(request.POST if request.method == "POST" else None)
    if not form.is_bound or not form.is_valid():
        return _form(request, "storefront/sign_in.html", form, 400 if form.is_bound else 200)
    try:
        services.sign_in(request, **form.cleaned_data)
    except SoukError as error:
        form.add_error(None, words_of(error))
        return _form(request, "storefront/sign_in.html", form, error.status)
    return redirect(next_of(request))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    messages.success(request, _("You are signed out."))
    return redirect("home")


def _form(request: HttpRequest, template: str, form: Any, status: int) -> HttpResponse:
    shown = {"form": form, "next": next_of(request)}
    return render(request, template, shown, status=status)
