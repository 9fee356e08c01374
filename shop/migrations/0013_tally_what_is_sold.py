"""Apart from the table, so that MySQL can begin again where this did not come to its end."""

from django.db import migrations

FILL = """
INSERT INTO shop_flashtally (run_id, held, sold, returned)
SELECT run_id,
    SUM(CASE WHEN state = 'held' THEN 1 ELSE 0 END),
    SUM(CASE WHEN state = 'sold' THEN 1 ELSE 0 END),
    SUM(CASE WHEN state = 'returned' THEN 1 ELSE 0 END)
FROM shop_flashunit WHERE state <> 'free'
    AND NOT EXISTS (SELECT 1 FROM shop_flashtally AS done WHERE done.run_id = shop_flashunit.run_id)
GROUP BY run_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('shop', '0012_flash_tallies'),
    ]

    operations = [
        # Processes of the version before write no tallies: `rebuild_statistics` adds theirs.
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
