"""What requests cost in processor time, as a multiple of one that does nothing.

    python .ci/servers.py run -- python -m tests.performance        to be written into `budgets.py`
    python -m tests.performance DUMP NAME                           for a test: as JSON

DUMP has the statements that make a migrated database, NAME is that of one to make of them.
"""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
django.setup()

from tests.performance import cpu  # noqa: E402  # its models need the settings

sys.exit(cpu.main(sys.argv[1:]))
