"""Users in the Django admin. Rows are deactivated, never deleted: orders refer to them."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UsernameField
from django.contrib.auth.models import Group
from django.forms import ModelForm, TextInput
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from accounts.users import selectors, services
from accounts.users.models import User

# Whoever could write these could make themselves superuser.
POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


class SignInForm(AdminAuthenticationForm):
    """Says that both are taken, where Django names the model's field only."""

    username = UsernameField(
        label=gettext_lazy("Email or username"), widget=TextInput(attrs={"autofocus": True})
    )
    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": gettext_lazy(
            "Please enter the email or username and the password of a staff account."
        ),
    }


admin.site.login_form = SignInForm


class PowersAudited(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Groups and permissions go into the audit log; the admin saves them after the row."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        before = selectors.powers(form.instance)
        super().save_related(request, form, formsets, change)
        services.powers_audit(of=form.instance, before=before, actor_id=request.user.pk)


class UserAddForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email", "username", "name")


admin.site.unregister(Group)


@admin.register(Group)
class AuditedGroupAdmin(PowersAudited, GroupAdmin):
    """Whoever changes a group changes what all of its members may do."""

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        services.group_delete(group=obj, actor_id=request.user.pk)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for group in queryset.order_by("pk"):
            self.delete_model(request, group)


@admin.register(User)
class UserAdmin(PowersAudited):
    """Everything is saved by the services, which end or refresh sessions with it."""

    list_display = ("email", "username", "name", "is_active", "is_staff", "joined_at")
    list_filter = ("is_active", "is_staff", "is_superuser", "joined_at")
    search_fields = ("email", "username", "name", "uid")
    ordering = ("-pk",)
    readonly_fields = ("uid", "email_verified_at", "joined_at", "last_login")
    filter_horizontal = ("groups", "user_permissions")
    fields = (
        *("uid", "email", "email_verified_at", "username", "name", "is_active"),
        *(*POWERS, "joined_at", "last_login"),
    )
    add_fields = ("email", "username", "name", "usable_password", "password1", "password2")
    actions = ("deactivate",)

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return self.fields if obj else self.add_fields

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:  # type: ignore[type-arg]  # generic in the stubs only
        return super().get_form(
            request, obj, change, **(kwargs if obj else {**kwargs, "form": UserAddForm})
        )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        mine = self.readonly_fields
        return mine if request.user.is_superuser else (*mine, *POWERS)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        protected = obj is not None and obj.is_superuser and not request.user.is_superuser
        return allowed and not protected

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        services.user_save(user=obj, changed=form.changed_data, actor_id=request.user.pk)

    @admin.action(description="Deactivate, and end their sessions", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: Any) -> None:
        for user in queryset.order_by("pk"):
            if self.has_change_permission(request, user):
                services.user_deactivate(user_id=user.pk, actor_id=request.user.pk)
