#!/bin/sh
# Two database users: one that migrates, one that the running shop is. The shop's own gets its rights
# table by table from the migration job, none of them to change tables or rows that are written once,
# so that a leak of its password rewrites no history.
# Runs at every start and sets the passwords again: changing them in .env is enough.
set -eu
for name in MYSQL_ROOT_PASSWORD MYSQL_MIGRATION_PASSWORD MYSQL_APP_PASSWORD; do
  eval "value=\${$name}"
  case $value in
    '' | *[!A-Za-z0-9._~-]*) echo "$name: only letters, digits and . _ ~ - fit into a URL" >&2; exit 1 ;;
  esac
done
export MYSQL_PWD="$MYSQL_ROOT_PASSWORD"
mysql --host="${MYSQL_HOST:-mysql}" --user=root <<SQL
CREATE DATABASE IF NOT EXISTS souk;
CREATE USER IF NOT EXISTS souk_migration@'%', souk_app@'%';
ALTER USER souk_migration@'%' IDENTIFIED BY '$MYSQL_MIGRATION_PASSWORD';
ALTER USER souk_app@'%' IDENTIFIED BY '$MYSQL_APP_PASSWORD';
GRANT ALL ON souk.* TO souk_migration@'%' WITH GRANT OPTION;
SQL
echo "database users are set"
