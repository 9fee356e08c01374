import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0004_webhook_errors'),
    ]

    operations = [
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='notice', serialize=False, to='payments.paymentevent')),
                ('state', models.CharField(choices=[('sending', 'Sending'), ('sent', 'Sent'), ('refused', 'Refused'), ('given_up', 'Given Up'), ('skipped', 'Skipped')], default='sending', max_length=8)),
                ('claimed_until', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
    ]
