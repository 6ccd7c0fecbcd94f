#!/bin/sh
# PostgreSQL's archive_command: archive-wal.sh BACKUP %p %f
#
# Copies a finished WAL file to BACKUP/wal, compressed and written through to the disk. A file that exists is never
# replaced: the same content counts as archived, other content is an error. PostgreSQL repeats the command until it
# succeeds, and keeps the file until then.
set -eu

archive=$1/wal
path=$2
target=$archive/$3.gz

if [ -e "$target" ]; then
  gzip -dc "$target" | cmp -s - "$path" && exit 0
  echo "error: $target exists and has other content: another server writes into this folder" >&2
  exit 1
fi
mkdir -p "$archive"
part=$archive/.$3.part.$$
trap 'rm -f "$part"' EXIT
rm -f "$archive/.$3".part.*
gzip -1 -c "$path" >"$part"
sync "$part"
ln "$part" "$target" # fails if the file exists by now
sync "$archive"
