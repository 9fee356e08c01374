#!/usr/bin/env python
"""Django's command line; the embedded settings are the default."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")
    # A statement of a migration or a check of all rows may take longer than one of a request may.
    os.environ["MYSQL_READ_TIMEOUT"] = os.environ["MYSQL_WRITE_TIMEOUT"] = "0"
    execute_from_command_line(sys.argv)
