"""Where mailed links lead: small pages that hand the token to the API."""

from django.views.generic import TemplateView


class LinkPage(TemplateView):
    """The token is behind the address's `#`, which no server sees; the page's script has it."""

    http_method_names = ["get", "head", "options"]
