"""Admin pages that show rows and never write them; what changes rows are services."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from common.admin.display import page_of
from common.admin.forms import ServiceForm
from common.admin.once import carry_out
from common.errors import SoukError

# Django's admin classes take type parameters only in the stubs.
if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    FormSet = BaseInlineFormSet[Any, Any, Any]
else:
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline
    FormSet = BaseInlineFormSet

NEWEST: Final = 50
MESSAGES: Final = 10


class ReadOnlyAdmin(ModelAdmin):
    """Rows to look at. `forms` are the buttons on a row's page; each ends in a service.

    `add_form` makes a new row, where staff may make any.
    """

    forms: tuple[type[ServiceForm], ...] = ()
    add_form: type[ServiceForm] | None = None
    # Columns of other tables that a link may filter the list by, beside those of `list_filter`.
    linked_by: tuple[str, ...] = ()
    change_form_template = "admin/souk/change_form.html"
    # Histories are long: counting all rows of a filtered list costs more than the list.
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or super().get_readonly_fields(request, obj)

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        return lookup in self.linked_by or super().lookup_allowed(lookup, value, request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.add_form is not None and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Whether this person may use the actions; `has_change_permission` is free editing."""
        return super().has_change_permission(request)

    def get_urls(self) -> Any:
        return [
            path(
                f"<path:object_id>/{form.name}/",
                self.admin_site.admin_view(self._view_of(form)),
                name=self._route(form),
            )
            for form in self.forms
        ] + super().get_urls()

    def _route(self, form: type[ServiceForm]) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{form.name}"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        context = {**(extra_context or {}), "buttons": self._buttons(request, row)}
        if row is not None:
            context["subtitle"] = self.title_of(row)
        return super().change_view(request, object_id, form_url, context)

    def title_of(self, row: Any) -> str:
        return str(row)

    def _buttons(self, request: HttpRequest, row: Any) -> list[dict[str, str]]:
        if row is None or not self.has_act_permission(request):
            return []
        return [
            {"label": form.label, "url": reverse(f"admin:{self._route(form)}", args=[row.pk])}
            for form in self.forms
            if form.fits(row)
        ]

    def _view_of(self, form: type[ServiceForm]) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            return self._form_view(request, object_id, form)

        return view

    def _form_view(
        self, request: HttpRequest, object_id: str, kind: type[ServiceForm]
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        if not self.has_act_permission(request) or not self.has_view_permission(request, row):
            raise PermissionDenied
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return,attr-defined]
        return self._carried(request, kind(request.POST or None, row=row))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.add_form is None or not self.has_add_permission(request):
            raise PermissionDenied
        return self._carried(request, self.add_form(request.POST or None, row=None))

    def _carried(self, request: HttpRequest, form: ServiceForm) -> HttpResponse:
        """Ask for what is missing, ask whether to go on, then do it."""
        if not form.is_valid():
            # With nothing to fill in, the first page is the question whether to go on.
            return self._ask(request, form, confirm=not form.is_bound and not form.visible())
        if "confirmed" in request.POST:
            done = carry_out(request, form)
            return HttpResponseRedirect(self._page(form)) if done else self._ask(request, form)
        return self._ask(request, form, confirm="edit" not in request.POST)

    def _page(self, form: ServiceForm) -> str:
        """Of the form's row; of all rows, where there is none yet."""
        if form.row is not None:
            return page_of(form.row)
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _ask(
        self, request: HttpRequest, form: ServiceForm, *, confirm: bool = False
    ) -> HttpResponse:
        title = "new" if form.row is None else self.title_of(form.row)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "row_title": title,
            "title": f"{form.label}: {title}",
            "form": form,
            "back": self._page(form),
            "confirm": confirm,
        }
        return TemplateResponse(request, "admin/souk/form.html", context)

    def each(
        self, request: HttpRequest, rows: Iterable[Any], act: Callable[[Any], object], done: str
    ) -> None:
        """Do one thing to each row; a refusal of one is shown and stops none of the others."""
        count, refused = 0, []
        for row in rows:
            try:
                act(row)
                count += 1
            except SoukError as error:
                refused.append(f"{row}: {error.detail}")
        for text in refused[:MESSAGES]:
            messages.error(request, text)
        if len(refused) > MESSAGES:
            messages.error(request, f"And {len(refused) - MESSAGES} more were refused.")
        if count:
            messages.success(request, f"{count} {done}.")


class ReadOnlyInline(TabularInline):
    """Rows on their parent's page, for whoever may view their own model."""

    extra = 0
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or super().get_readonly_fields(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PartInline(ReadOnlyInline):
    """Rows that are part of their parent: whoever sees the parent sees them."""

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True


class Newest(FormSet):
    """The first rows of an inline's ordering: a popular product has thousands of movements."""

    def get_queryset(self) -> Any:
        if not hasattr(self, "_newest"):
            self._newest = list(super().get_queryset()[:NEWEST])
        return self._newest
