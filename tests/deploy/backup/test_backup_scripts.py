"""The scripts of deploy/backup archive WAL, copy a running server, restore a point in time, and delete old copies."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.embedded.server import Server
from tests.support.postgres.cluster import Cluster
from tests.support.processes import ROOT, free_port, wait_until

pytestmark = pytest.mark.deploy

ARCHIVE = ROOT / "deploy" / "backup" / "archive-wal.sh"


def archive(backup: Path, path: Path, name: str) -> subprocess.CompletedProcess[str]:
    words = ["sh", str(ARCHIVE), str(backup), str(path), name]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


# --- the archive


def test_an_archived_file_is_never_overwritten_and_the_same_file_is_accepted_again(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(b"first" * 1000)
    assert archive(tmp_path, path, "000000010000000000000001").returncode == 0
    [kept] = (tmp_path / "wal").iterdir()
    before = kept.read_bytes()
    assert archive(tmp_path, path, "000000010000000000000001").returncode == 0
    path.write_bytes(b"other" * 1000)
    refused = archive(tmp_path, path, "000000010000000000000001")
    assert refused.returncode == 1
    assert "has other content: another server writes into this folder" in refused.stderr
    assert kept.read_bytes() == before
    assert [file.name for file in (tmp_path / "wal").iterdir()] == ["000000010000000000000001.gz"]


def test_a_failed_copy_leaves_nothing_and_the_next_try_succeeds(tmp_path: Path) -> None:
    assert archive(tmp_path, tmp_path / "missing", "000000010000000000000001").returncode != 0
    assert list((tmp_path / "wal").iterdir()) == []
    (tmp_path / "wal" / ".000000010000000000000001.part.17").touch()  # a killed command leaves such a file
    (tmp_path / "segment").write_bytes(b"content")
    assert archive(tmp_path, tmp_path / "segment", "000000010000000000000001").returncode == 0
    assert [file.name for file in (tmp_path / "wal").iterdir()] == ["000000010000000000000001.gz"]


# --- backup and restore


@pytest.fixture(scope="module")
def backup(public_folder: Path) -> Path:
    return public_folder / "scripts" / "backup"


@pytest.fixture(scope="module")
def cluster(public_folder: Path, server: Server, server_home: Path, backup: Path) -> Iterator[Cluster]:
    archiving = ("archive_mode = on", f"archive_command = 'sh {ARCHIVE} {backup} %p %f'")
    made = Cluster.create(server_home, public_folder / "scripts", *archiving)
    made.own(backup)
    made.start()
    try:
        made.sql("create table kept (id integer); insert into kept select generate_series(1, 100)")
        made.done("base-backup.sh", backup)
        yield made
    finally:
        made.stop("immediate")


def restore_target(cluster: Cluster, name: str) -> Cluster:
    return Cluster(cluster.home, cluster.data.parent / name / "data", cluster.port)


def wait_until_archived(cluster: Cluster) -> None:
    """Wait until everything that was committed is in the archive."""
    cluster.sql("create table if not exists written (at timestamptz)")
    cluster.sql("insert into written values (now())")  # without a write, pg_switch_wal does nothing
    [(name,)] = cluster.sql("select pg_walfile_name(pg_switch_wal())")
    wait_until(lambda: (cluster.data.parent / "backup" / "wal" / f"{name}.gz").exists(), 60, f"{name} in the archive")


def test_a_restore_to_a_point_in_time_ends_before_the_deletion(cluster: Cluster, backup: Path) -> None:
    time.sleep(1.1)  # the name of a backup is the second at which it was finished; the restored time must be later
    cluster.sql("insert into kept select generate_series(101, 200)")
    [(before,)] = cluster.sql("select clock_timestamp()::text")
    cluster.sql("delete from kept")
    wait_until_archived(cluster)

    copy = restore_target(cluster, "before")
    copy.own(copy.data.parent)
    assert "restored" in cluster.done("restore.sh", backup, copy.data, str(before))
    whole = restore_target(cluster, "whole")
    whole.own(whole.data.parent)
    cluster.done("restore.sh", backup.relative_to("/"), whole.data)  # `done` runs in /
    for one, count in ((copy, 200), (whole, 0)):
        one.port = free_port()
        one.start("-c archive_mode=off")  # the copied archive_command would write into the original's folder
        assert one.sql("select count(*), pg_is_in_recovery() from kept") == [(count, False)]
        one.stop("immediate")
    assert cluster.sql("select count(*) from kept") == [(0,)]


@pytest.mark.soak
def test_a_second_restore_finds_what_the_first_restored_server_has_archived(cluster: Cluster, backup: Path) -> None:
    wait_until_archived(cluster)
    first = restore_target(cluster, "first")
    first.own(first.data.parent)
    folder = first.data.parent / "backup"
    # The first restored server archives into a copy of the folder, because later tests use the original folder.
    subprocess.run(["cp", "-R", "-p", str(backup), str(folder)], check=True)
    first.done("restore.sh", folder, first.data)
    first.port = free_port()
    first.start(f"-c archive_command='sh {ARCHIVE} {folder} %p %f'")
    first.sql("create table of_the_first (id integer); insert into of_the_first values (7)")
    wait_until_archived(first)
    assert first.sql("select timeline_id from pg_control_checkpoint()") == [(2,)]
    first.stop()

    second = restore_target(cluster, "second")
    second.own(second.data.parent)
    second.done("restore.sh", folder, second.data)
    second.port = free_port()
    second.start("-c archive_mode=off")
    assert second.sql("select id from of_the_first") == [(7,)]
    assert second.sql("select timeline_id from pg_control_checkpoint()") == [(3,)]

    unarchived = second.data.parent / "backup"  # a folder for the backup of a server that archives nothing
    second.done("base-backup.sh", unarchived)
    assert list((unarchived / "wal").iterdir()) == []
    second.stop("immediate")


def test_a_backup_whose_archive_is_missing_is_refused(cluster: Cluster) -> None:
    other = cluster.data.parent / "without"
    cluster.own(other)
    cluster.done("base-backup.sh", other)
    copy = restore_target(cluster, "without-wal")
    done = cluster.run("restore.sh", other, copy.data)
    assert done.returncode == 1
    assert "has no folder wal, so the changes after the backup are missing" in done.stderr
    assert not copy.data.exists()


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("whenever", "'whenever' is not a time"),
        ("2099-01-01 00:00:00+00", "lies in the future"),
        ("2001-01-01 00:00:00+00", "no backup that was finished before that time"),
    ],
)
def test_a_time_that_cannot_be_restored_is_refused(cluster: Cluster, backup: Path, when: str, message: str) -> None:
    copy = restore_target(cluster, "refused")
    done = cluster.run("restore.sh", backup, copy.data, when)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not copy.data.exists()


def test_a_restore_into_a_folder_with_data_is_refused(cluster: Cluster, backup: Path) -> None:
    done = cluster.run("restore.sh", backup, cluster.data)
    assert done.returncode == 1
    assert f"{cluster.data} is not empty" in done.stderr


@pytest.mark.soak
def test_a_damaged_copy_and_a_damaged_wal_file_are_refused(cluster: Cluster, backup: Path) -> None:
    copy = restore_target(cluster, "damaged")
    copy.own(copy.data.parent)
    base = cluster.done("base-backup.sh", backup)
    cluster.sql("create table later ()")
    wait_until_archived(cluster)
    newest = max((backup / "wal").glob("[0-9A-F]" * 24 + ".gz"))
    good = newest.read_bytes()
    newest.write_bytes(good[: len(good) // 2])
    done = cluster.run("restore.sh", backup, copy.data)
    assert done.returncode == 1
    assert "the restore failed" in done.stderr
    assert list(copy.data.iterdir()) == []
    newest.write_bytes(good)

    (Path(base) / "global" / "pg_control").write_bytes(b"damaged")
    done = cluster.run("restore.sh", backup, copy.data)
    assert done.returncode == 1
    assert f"{base} is damaged" in done.stderr
    subprocess.run(["rm", "-r", base], check=True)
    cluster.done("restore.sh", backup, copy.data)  # restores the earlier backup


@pytest.mark.soak
def test_a_restore_to_a_time_after_the_end_of_the_archive_fails_with_the_reason(cluster: Cluster, backup: Path) -> None:
    time.sleep(1.1)
    copy = restore_target(cluster, "late")
    copy.own(copy.data.parent)
    [(now,)] = cluster.sql("select clock_timestamp()::text")
    done = cluster.run("restore.sh", backup, copy.data, str(now))
    assert done.returncode == 1
    assert "recovery ended before configured recovery target was reached" in done.stderr
    assert list(copy.data.iterdir()) == []


@pytest.mark.soak
def test_retention_keeps_the_newest_copies_and_the_wal_files_that_they_need(cluster: Cluster, backup: Path) -> None:
    bases = [cluster.done("base-backup.sh", backup, "2")]
    for _ in range(2):
        time.sleep(1.1)
        cluster.sql("create table if not exists written (at timestamptz); select pg_switch_wal()")
        bases.append(cluster.done("base-backup.sh", backup, "2"))
    assert [str(path) for path in sorted((backup / "base").iterdir())] == bases[1:]
    label = (Path(bases[1]) / "backup_label").read_text()
    needed = label.split("(file ")[1][:24]
    segments = [path.name[:24] for path in (backup / "wal").iterdir() if len(path.name) == 27]
    assert min(segments) == needed
    copy = restore_target(cluster, "oldest")
    copy.own(copy.data.parent)
    wait_until_archived(cluster)
    subprocess.run(["rm", "-r", bases[2]], check=True)
    cluster.done("restore.sh", backup, copy.data)


@pytest.mark.parametrize("script", ["base-backup.sh", "dump.sh"])
@pytest.mark.parametrize("number", ["0", "many", "-1"])
def test_a_number_of_copies_must_be_1_or_more(cluster: Cluster, backup: Path, script: str, number: str) -> None:
    words = [script, backup, *(["postgres"] if script == "dump.sh" else []), number]
    done = cluster.run(*words)
    assert done.returncode == 2
    assert "must be 1 or more" in done.stderr


def test_a_backup_that_fails_leaves_no_file(cluster: Cluster, backup: Path) -> None:
    before = sorted(backup.rglob("*"))
    nobody = Cluster(cluster.home, cluster.data, 1)
    for words in (("base-backup.sh", backup), ("dump.sh", backup, "postgres")):
        done = nobody.run(*words)
        assert done.returncode != 0
        assert "refused" in done.stderr
    after = {path for path in backup.rglob("*") if path.name != "dump"}
    assert after == set(before)


def test_retention_keeps_dumps_of_databases_whose_names_begin_with_the_same_words(cluster: Cluster) -> None:
    folder = cluster.data.parent / "databases" / "dump"
    cluster.own(folder.parent)
    cluster.own(folder)
    others = {f"postgres-{word}20260504T140000Z.dump" for word in ("2-", "20260504T13-", "eu-")}
    for name in (*others, "postgres-20260504T140000Z.dump"):
        (folder / name).touch()
    made = cluster.done("dump.sh", folder.parent, "postgres", "1")
    assert {path.name for path in folder.iterdir()} == {*others, Path(made).name}


@pytest.mark.soak
def test_the_given_number_of_dumps_is_kept_and_only_the_owner_can_read_them(cluster: Cluster, backup: Path) -> None:
    made = []
    for _ in range(3):
        made.append(cluster.done("dump.sh", backup, "postgres", "2"))
        time.sleep(1.1)
    assert [str(path) for path in sorted((backup / "dump").iterdir())] == made[1:]
    assert {path.stat().st_mode & 0o777 for path in (backup / "dump").iterdir()} == {0o600}
