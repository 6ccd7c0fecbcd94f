#!/bin/sh
# Starts PostgreSQL. If the volume holds only data of another major version, or of an earlier folder layout, the script
# ends with an error instead.
set -eu

version_folder=$(dirname "$PGDATA")       # /var/lib/postgresql/18
volume=$(dirname "$version_folder")       # /var/lib/postgresql
major=$(basename "$version_folder")       # 18

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  for file in "$volume"/PG_VERSION "$volume"/*/PG_VERSION "$volume"/*/*/PG_VERSION "$volume"/*/*/*/PG_VERSION; do
    [ -s "$file" ] || continue
    echo "error: the volume holds data of PostgreSQL $(cat "$file"), in $(dirname "$file")" >&2
    echo "  This site runs PostgreSQL $major with data in $PGDATA. docs/compose.md, \"Another version of PostgreSQL\", says how" \
      "to bring the data over." >&2
    exit 1
  done
fi

exec docker-entrypoint.sh postgres "$@"
