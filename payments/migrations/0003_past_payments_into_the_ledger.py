"""Money that came in and went back before there was a ledger, in the ledger's words.

References are those that the services use, so that a capture or refund told again later finds its
transfer. A second run adds nothing; going back leaves the rows to the ledger's own migration.
"""

from django.db import migrations

CLEARING, SALES, REFUNDS, UNAPPLIED = "stripe_clearing", "sales", "refunds", "unapplied"
# Reasons of payments whose money paid for their order after all, or without any doubt.
USED = ("", "late")


def book(apps, schema_editor):
    Refund = apps.get_model("payments", "Refund")
    Event = apps.get_model("payments", "PaymentEvent")
    writer = Writer(apps)
    unused = Refund.objects.exclude(payment__reason__in=USED)
    unused.update(source="unapplied")
    captures = Event.objects.filter(kind="captured").select_related("payment__order")
    for event in captures.order_by("pk").iterator(chunk_size=1000):
        used = event.payment.reason in USED
        goal, kind = (SALES, "sale") if used else (UNAPPLIED, "receipt")
        writer.write(event.once, kind, event, CLEARING, goal, event.created_at)
    done = Refund.objects.filter(status="succeeded").select_related("payment__order")
    for refund in done.order_by("pk").iterator(chunk_size=1000):
        taken = UNAPPLIED if refund.source == "unapplied" else REFUNDS
        reference = f"refund:{refund.uid}"
        writer.write(reference, "refund", refund, taken, CLEARING, refund.decided_at)


class Writer:
    """Transfers between two accounts of the house, which are opened as they are needed."""

    def __init__(self, apps):
        self.accounts = apps.get_model("accounts", "Account").objects
        self.transfers = apps.get_model("accounts", "Transfer").objects
        self.postings = apps.get_model("accounts", "Posting").objects

    def write(self, reference, kind, row, debit, credit, at):
        order = row.payment.order
        values = {"kind": kind, "about": f"order {order.number}" if order else "deposit"}
        if at is not None:
            values["created_at"] = at
        transfer, new = self.transfers.get_or_create(reference=reference, defaults=values)
        if not new:
            return
        for side, account in (("debit", debit), ("credit", credit)):
            self.postings.create(
                transfer=transfer,
                account=self.account(account, row.currency),
                side=side,
                currency=row.currency,
                amount=row.amount,
            )

    def account(self, kind, currency):
        values = {"kind": kind, "currency": currency}
        key = f"house:{kind}:{currency}"
        return self.accounts.get_or_create(key=key, defaults=values)[0]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_ledger"),
        ("payments", "0002_refund_sources_and_disputes"),
    ]

    operations = [migrations.RunPython(book, migrations.RunPython.noop)]
