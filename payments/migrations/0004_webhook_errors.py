from django.db import migrations, models
from django.db.models.functions import Now


def poll_pending_refunds(apps, schema_editor):
    """What waited for Stripe before there was a time to ask is asked about at once."""
    refunds = apps.get_model("payments", "StripeRefund").objects
    refunds.filter(refund__status="pending").update(next_poll_at=Now())


class Migration(migrations.Migration):
    dependencies = [("payments", "0003_past_payments_into_the_ledger")]

    operations = [
        migrations.AddField(
            model_name="striperefund",
            name="next_poll_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name="striperefund",
            index=models.Index(fields=["next_poll_at"], name="stripe_refund_poll"),
        ),
        migrations.AddField(
            model_name="webhookevent",
            name="attempts",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="webhookevent",
            name="error",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.RunPython(poll_pending_refunds, migrations.RunPython.noop),
    ]
