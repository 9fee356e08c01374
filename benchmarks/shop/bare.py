"""A Django project of one view: what a process costs before there is a shop in it."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse("{}", content_type="application/json")


urlpatterns = [path("", view)]

# Whatever DJANGO_SETTINGS_MODULE says.
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="of nothing")
application = get_wsgi_application()
