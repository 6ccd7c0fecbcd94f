#!/bin/sh
# Creates the login with which the exporter reads PostgreSQL's statistics, and sets its password.
set -eu

PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
export PGPASSWORD
password=$(cat "$EXPORTER_PASSWORD_FILE")
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 <<SQL
SELECT 'CREATE ROLE shop_exporter LOGIN CONNECTION LIMIT 3' WHERE to_regrole('shop_exporter') IS NULL \gexec
GRANT pg_monitor TO shop_exporter;
ALTER ROLE shop_exporter SET statement_timeout = '10s';
SET password_encryption = 'scram-sha-256';
ALTER ROLE shop_exporter PASSWORD '$password';
SQL
