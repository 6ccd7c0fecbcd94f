#!/bin/sh
# Restores a data folder from a backup: restore.sh BACKUP DATA [TIME]
#
# DATA must be missing or empty. TIME, such as "2026-05-04 13:59:00+02", restores the state of that moment; without a
# time zone it is UTC. Without TIME, everything is restored that the archive has. BACKUP must have the folder wal.
# base-backup.sh creates this folder if the server archives nothing.
#
# The script starts the server for the restore, out of reach of any client, and stops it again. DATA can then be started
# as usual. The restored site counts as a copy: it refuses new queries until "windowshop db adopt", because its gateway
# still leads to the server that was backed up.
#
# The restored server begins a new timeline. If it archives into BACKUP, the next restore from BACKUP follows this
# timeline, and the changes after TIME can no longer be restored. To keep these changes, give the server an empty backup
# folder.
set -eu

data=$2
time=${3:-}

fail() {
  echo "error: $1" >&2
  exit 1
}

[ -d "$1/base" ] || fail "$1 has no folder base, which base-backup.sh writes"
[ -d "$1/wal" ] ||
  fail "$1 has no folder wal, so the changes after the backup are missing. Create the folder to restore without them"
backup=$(CDPATH='' cd -- "$1" && pwd) # absolute, because PostgreSQL runs the restore_command in DATA
[ -z "$(ls -A "$data" 2>/dev/null)" ] || fail "$data is not empty. Move it away, or name another folder"
base=
if [ -n "$time" ]; then
  seconds=$(TZ=UTC date -d "$time" +%s 2>/dev/null) || fail "'$time' is not a time. For example: 2026-05-04 13:59:00+02"
  [ "$seconds" -le "$(date +%s)" ] || fail "'$time' lies in the future"
  time=$(TZ=UTC date -d "$time" '+%Y-%m-%d %H:%M:%S.%6N+00')
fi
for found in "$backup"/base/[0-9]*Z; do # oldest first
  [ -d "$found" ] || continue
  finished=$(basename "$found")
  if [ -z "$time" ] || ! expr "$finished" '>' "$(date -u -d "$time" +%Y%m%dT%H%M%SZ)" >/dev/null; then base=$found; fi
done
[ -n "$base" ] || fail "$backup has no backup that was finished before that time"
major=$(postgres --version | sed 's/.* \([0-9]*\)\..*/\1/')
[ "$(cat "$base/PG_VERSION")" = "$major" ] ||
  fail "$base is of PostgreSQL $(cat "$base/PG_VERSION"), and these programs are of PostgreSQL $major"
pg_verifybackup --quiet "$base" || fail "$base is damaged"

private=$(mktemp -d) # for the socket, which only this user reaches
server=
clean() {
  if [ -n "$server" ]; then
    kill -QUIT "$server" 2>/dev/null || true
    wait "$server" || true
    rm -rf "${data:?}"/* # only files of this restore, because the folder was empty
  fi
  rm -rf "$private"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

echo "restoring $base${time:+ to $time}"
mkdir -p "$data"
cp -R -p "$base/." "$data"
chmod 700 "$data"
rm -f "$data/backup_manifest"
touch "$data/recovery.signal"
echo "local all all trust" >"$private/pg_hba.conf"
# A missing file ends the replay: the archive has no more. A damaged file ends the restore.
file="'$backup/wal/%f.gz'"
# With archive_mode on and no archive_command, the server keeps the history file of the new timeline, and archives this
# file when it is later started as usual. A later restore from that archive finds this file, follows the timeline, and
# then begins a timeline with yet another number.
set -- -D "$data" -p 5432 -c listen_addresses= -c "unix_socket_directories=$private" -c "hba_file=$private/pg_hba.conf" \
  -c archive_mode=on -c archive_command= -c hot_standby=off -c logging_collector=off -c log_destination=stderr \
  -c "restore_command=[ -e $file ] || exit 1; gzip -dc $file > '%p' || exit 255" -c recovery_target_action=promote
[ -z "$time" ] || set -- "$@" -c "recovery_target_time=$time"
postgres "$@" >"$private/log" 2>&1 &
server=$!
export PGHOST="$private" PGUSER=postgres PGPORT=5432 PGDATABASE=postgres
until pg_isready --quiet; do
  if ! kill -0 "$server" 2>/dev/null; then
    tail -n 5 "$private/log" >&2
    fail "the restore failed: see the lines above"
  fi
  sleep 0.2
done
databases=$(psql --no-psqlrc --tuples-only --no-align -c "SELECT datname FROM pg_database WHERE datallowconn")
echo "$databases" | while IFS= read -r database; do
  PGDATABASE=$database psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 <<'SQL'
SELECT 'ALTER SERVER shop_primary VERSION ''restored''' FROM pg_foreign_server WHERE srvname = 'shop_primary' \gexec
SQL
done
kill -INT "$server"
wait "$server"
server=
echo "restored $data. If the server archives, give it an empty backup folder. Start it, run \"windowshop db adopt\"," \
  "and make a copy with base-backup.sh, which the next restore from the new folder needs"
