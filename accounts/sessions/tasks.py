"""Periodic work of the sessions."""

from celery import shared_task

from accounts.sessions import services


@shared_task(name="accounts.sessions.forget_expired", ignore_result=True)
def forget_expired() -> int:
    return services.families_forget()


@shared_task(name="accounts.sessions.forget_browsers", ignore_result=True)
def forget_browsers() -> int:
    return services.browser_sessions_forget()
