#!/bin/sh
# Dumps a database: dump.sh BACKUP DATABASE [NUMBER]. Another version of PostgreSQL can restore the dump.
#
# The dump appears in BACKUP/dump under the name of the database and the time of its start, after pg_restore has read it.
# Then the NUMBER newest dumps of the database stay (by default 7), and older ones are deleted. A dump has no roles: create
# them with "windowshop db roles" before pg_restore. PGHOST, PGPORT, PGUSER and PGPASSWORD name the server.
set -eu

folder=$1/dump
kept=${3:-7}
export PGHOST="${PGHOST:-127.0.0.1}" PGUSER="${PGUSER:-postgres}"
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
  PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export PGPASSWORD
fi
case $kept in '' | 0* | *[!0-9]*)
  echo "error: the number of dumps must be 1 or more, and is '$kept'" >&2
  exit 2
  ;;
esac

umask 077 # a dump has the password of the gateway
mkdir -p "$folder"
name=$2-$(date -u +%Y%m%dT%H%M%SZ).dump
part=$folder/.$name.part
trap 'rm -f "$part"' EXIT
trap 'exit 1' HUP INT TERM
# The salt with which the page hashes its visitors must not outlive its day, so the dump leaves it out.
pg_dump --format=custom --no-password --exclude-table-data=shop_private.visitor_salt --file="$part" "$2"
pg_restore --file=/dev/null "$part"
sync "$part"
mv "$part" "$folder/$name"
sync "$folder"
echo "$folder/$name"
digits='[0-9][0-9]'
time=$digits$digits$digits${digits}T$digits$digits${digits}Z # the dumps of shop-2 do not match the pattern of shop
# shellcheck disable=SC2086 # the time is a pattern
(cd "$folder" && printf '%s\n' "$2"-$time.dump | sort -r | tail -n "+$((kept + 1))" |
  while IFS= read -r old; do rm -f "./$old"; done)
