#!/bin/sh
# The migration job: runs to its end before any other container of the shop starts.
set -eu
python manage.py migrate --noinput
python manage.py grant_rights --user souk_app
case "${DEMO_ALLOWED:-0}" in
  1 | true | True | yes | on) python manage.py seed_demo ;;
esac
