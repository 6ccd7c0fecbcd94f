#!/bin/sh
# Copies the files of the running server: base-backup.sh BACKUP [NUMBER]
#
# The copy appears in BACKUP/base under the time at which it was finished, after pg_verifybackup has checked it. Then the
# NUMBER newest copies stay (by default 7). Older copies are deleted, with the WAL files that only they need. PGHOST,
# PGPORT, PGUSER and PGPASSWORD name the server; the login needs the right REPLICATION.
set -eu

folder=$1/base
kept=${2:-7}
export PGHOST="${PGHOST:-127.0.0.1}" PGUSER="${PGUSER:-postgres}"
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
  PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export PGPASSWORD
fi
case $kept in '' | 0* | *[!0-9]*)
  echo "error: the number of copies must be 1 or more, and is '$kept'" >&2
  exit 2
  ;;
esac

umask 077
mkdir -p "$folder"
part=$folder/.part
if ! mkdir "$part" 2>/dev/null; then
  echo "error: $part exists. Another backup is running or was killed. If it was killed, delete the folder" >&2
  exit 1
fi
trap 'rm -rf "$part"' EXIT
trap 'exit 1' HUP INT TERM
pg_basebackup --pgdata="$part" --checkpoint=fast --wal-method=stream --manifest-checksums=SHA256 --no-password
pg_verifybackup --quiet "$part"
name=$(date -u +%Y%m%dT%H%M%SZ)
mv "$part" "$folder/$name"
sync "$folder"
echo "$folder/$name"

backups=$(cd "$folder" && printf '%s\n' [0-9]*Z | sort -r)
for old in $(echo "$backups" | tail -n "+$((kept + 1))"); do
  rm -rf "${folder:?}/$old"
done
if [ "$(psql --no-psqlrc --no-password -At --dbname=replication=true --command="SHOW archive_mode")" = off ]; then
  mkdir -p "$1/wal" # stays empty; restore.sh refuses a backup without this folder
fi
oldest=$(echo "$backups" | head -n "$kept" | tail -n 1)
needed=$(sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]*\))$/\1/p' "$folder/$oldest/backup_label")
if [ -d "$1/wal" ] && [ -n "$needed" ]; then
  pg_archivecleanup -x .gz "$1/wal" "$needed"
fi
