"""The admin site's name and the admin pages of `common`, for Django to find.

Who may do what is Django's model permissions: staff without any see an empty index, `view_…` opens
pages, and `change_…` of an object's model allows the actions on it (adjust, fulfil, cancel,
refund, run again). The API asks for `is_staff` alone; the admin can do more and so asks for more.
"""

from django.contrib import admin

from common.outbox.admin import OutboxMessageAdmin

__all__ = ["OutboxMessageAdmin"]

admin.site.site_header = admin.site.site_title = "Souk"
admin.site.index_title = "Back office"
