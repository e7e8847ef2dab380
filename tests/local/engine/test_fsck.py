"""Each kind of damage is done to a small lake by hand; fsck must name it, and must not cry over what is sound."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import msgspec
import pytest

from lakefs_hl.local.disk import notes
from lakefs_hl.local.disk.blobs import INLINE
from lakefs_hl.local.disk.sums import row_sum
from lakefs_hl.local.disk.tables import staging
from lakefs_hl.local.engine import Engine, records
from lakefs_hl.local.engine.fsck import Report, Subset, fsck
from lakefs_hl.local.keys import Keys
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import LakeCorruptError, LakeFormatError
from tests.local.sums import restore_sums

REPO = "repo"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a bit of everything: branches, a merge, a tag, staged changes, small and large blobs."""
    place = tmp_path_factory.mktemp("made") / "lake"
    opened = Engine.open(place)
    opened.repositories.create(models.RepositoryCreation(REPO, "local://repo", "main"), who="me")
    for index in range(300):
        opened.objects.put(REPO, "main", f"data/{index:03d}", b"%d" % index)
    opened.objects.put(REPO, "main", "large", bytes(INLINE + 1))
    commit(opened, "main")
    opened.branches.create(REPO, models.BranchCreation("side", "main"))
    opened.objects.put(REPO, "side", "data/007", b"other")
    commit(opened, "side")
    opened.objects.put(REPO, "main", "data/100", b"other too")
    commit(opened, "main")
    opened.merges.merge(REPO, "side", "main", models.Merge(), who="me")
    opened.tags.create(REPO, models.TagCreation("v1", "main"))
    opened.objects.put(REPO, "main", "staged", b"staged")
    opened.objects.delete(REPO, "main", "data/001")
    opened.close()
    return place


@pytest.fixture
def engine(made: Path, folder: Path) -> Iterator[Engine]:
    shutil.copytree(made, folder)
    opened = Engine.open(folder)
    yield opened
    opened.close()


def commit(engine: Engine, branch: str) -> str:
    return engine.commits.commit(REPO, branch, models.CommitCreation("m"), who="me").id


def sql(engine: Engine, statement: str, *values: object) -> None:
    """Alters rows, and their checksums with them: what fsck finds then it finds by what the rows say."""
    with engine.lake.database.write() as writer:
        writer.execute(statement, values)
        restore_sums(writer)


def one(report: Report, *words: str) -> None:
    """The report is of damage, and a line of it has all the words."""
    assert report.exit_code == 1
    assert any(all(word in line for word in words) for line in report.damage), (words, report.damage)


def test_a_sound_lake(engine: Engine) -> None:
    for read_data in (False, True):
        report = fsck(engine, read_data)
        assert report.damage == []
        assert report.exit_code == 0
        assert report.counts["repositories"] == 1
        assert report.counts["branches"] == 2
        assert report.counts["tags"] == 1
        assert report.counts["commits"] == 5
        assert report.counts["staged entries"] == 2
        assert report.counts["blobs"] == 304
        assert not any(report.dangling.values()), report.dangling
        *lines, last = report.lines()
        assert last == "sound"
        assert "304 blobs" in lines[0]
    assert report.counts["bytes read"] > INLINE


def test_an_empty_lake(folder: Path) -> None:
    engine = Engine.open(folder)
    assert fsck(engine, read_data=True).damage == []
    engine.close()


# --------------------------------------------------------------------------------------------------------- trees, rows


def test_an_altered_node(engine: Engine) -> None:
    sql(engine, "UPDATE node SET data = CAST(data || x'00' AS BLOB) WHERE rowid = (SELECT max(rowid) FROM node)")
    one(fsck(engine), "node", "first met in commit")


def test_every_missing_node_is_named(engine: Engine) -> None:
    with engine.lake.database.read() as reader:
        nodes = [row[0] for row in reader.execute("SELECT hash FROM node")]
    sql(engine, "DELETE FROM node")
    report = fsck(engine)
    one(report, "is missing")
    assert all(any(line.split()[1].rstrip(",") == node.hex() for node in nodes) for line in report.damage)


def test_a_missing_commit(engine: Engine) -> None:
    first = engine.commits.log(REPO, "main", amount=100).results[-1].id
    sql(engine, "DELETE FROM history WHERE id = ?", bytes.fromhex(first))
    one(fsck(engine), "its parent", first, "is missing")


def test_an_altered_commit(engine: Engine) -> None:
    head = bytes.fromhex(engine.branches.get(REPO, "main").commit_id)
    sql(engine, "UPDATE history SET data = CAST(data || x'00' AS BLOB) WHERE id = ?", head)
    report = fsck(engine)
    one(report, head.hex(), "its content has the hash")


def test_a_commit_that_is_no_commit(engine: Engine) -> None:
    head = bytes.fromhex(engine.branches.get(REPO, "main").commit_id)
    sql(engine, "UPDATE history SET data = x'c1' WHERE id = ?", head)
    one(fsck(engine), head.hex(), "cannot be decoded")


def test_a_wrong_generation(engine: Engine) -> None:
    head = bytes.fromhex(engine.branches.get(REPO, "main").commit_id)
    with engine.lake.database.read() as reader:
        row = reader.row("SELECT data FROM history WHERE id = ?", (head,))
    assert row is not None
    data = records.write_commit(msgspec.structs.replace(records.read_commit(row[0]), generation=77))
    name = records.commit_id(data)
    sql(engine, "INSERT INTO history(repository, id, data) SELECT repository, ?, ? FROM branch LIMIT 1", name, data)
    sql(engine, "UPDATE branch SET head = ? WHERE name = 'main'", name)
    one(fsck(engine), name.hex(), "generation is 77")


@pytest.mark.parametrize("kind", ["branch", "tag"])
def test_a_ref_to_nothing(engine: Engine, kind: str) -> None:
    sql(engine, f"UPDATE {kind} SET head = ?", bytes(32))
    one(fsck(engine), kind, REPO, "00" * 32, "is missing")


@pytest.mark.parametrize("kind", ["branch", "tag"])
def test_a_ref_of_no_repository(engine: Engine, kind: str) -> None:
    sql(engine, f"UPDATE {kind} SET repository = 99")
    one(fsck(engine), kind, "repository number 99")


def test_two_branches_that_share_what_is_staged(engine: Engine) -> None:
    sql(engine, "UPDATE branch SET token = 1")
    one(fsck(engine), "shares the staging token 1")


def test_a_row_that_cannot_be_read(engine: Engine) -> None:
    sql(engine, "UPDATE repository SET value = x'c1'")
    one(fsck(engine), "cannot be decoded")


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("branch", "head = zeroblob(32)"),
        ("branch", "name = 'other' || name"),
        ("branch", "resets = resets + 1"),
        ("history", "repository = 2"),
        ("meta", "value = value || ' '"),
        ("repository", "name = 'another'"),
        ("sequence", "value = value - 1 WHERE name = 'token'"),
        ("tag", "name = 'v2'"),
    ],
)
def test_a_row_that_is_not_what_was_written(engine: Engine, table: str, change: str) -> None:
    with engine.lake.database.write() as writer:
        writer.execute(f"UPDATE {table} SET {change}")
    one(fsck(engine), "the row", f"of the table {table} is not what was written")


def test_an_upload_whose_content_is_gone_or_that_cannot_be_read(engine: Engine) -> None:
    address = engine.addresses.address(REPO, "main", "a").physical_address
    assert address is not None
    engine.addresses.receive(address, b"uploaded")
    report = fsck(engine)
    assert (report.damage, report.counts["uploads"]) == ([], 1)
    assert not any(report.dangling.values()), report.dangling
    sql(engine, "DELETE FROM blob WHERE data = ?", b"uploaded")
    one(fsck(engine), f"upload at {address.partition(',')[0]}", "is missing")
    sql(engine, "UPDATE upload SET value = x'c1'")
    one(fsck(engine), "upload at", "cannot be decoded")


def test_a_token_in_use_that_was_never_drawn(engine: Engine) -> None:
    sql(engine, "UPDATE sequence SET value = 0")
    one(fsck(engine), "the staging token", "only 0 have been drawn")


def test_a_repository_number_that_was_never_drawn(engine: Engine) -> None:
    sql(engine, "DELETE FROM sequence WHERE name = 'repository'")
    one(fsck(engine), "the repository number 1", "only 0 have been drawn")
    with pytest.raises(LakeCorruptError, match="the row repository of the table sequence"):
        engine.repositories.create(models.RepositoryCreation("new", "local://new"), who="me")


def test_no_token_is_drawn_that_is_in_use(engine: Engine) -> None:
    sql(engine, "UPDATE sequence SET value = 0 WHERE name = 'token'")
    with pytest.raises(LakeCorruptError, match="the row token of the table sequence"):
        engine.branches.create(REPO, models.BranchCreation("new", "main"))
    assert [ref.id for ref in engine.branches.page(REPO, "", "", 10, True).results] == ["main", "side"]


def test_a_staged_row_under_a_token_of_nobody(engine: Engine) -> None:
    """A flipped bit of its token would take a change off its branch, and make it look left over."""
    sql(engine, "UPDATE staging SET token = token + 64 WHERE path = ?", b"staged")
    one(fsck(engine), "staging token", "'staged' is not what was written")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE tag",
        "ALTER TABLE setting ADD COLUMN more",
        "ALTER TABLE import RENAME COLUMN value TO valve",
        "PRAGMA application_id = 7",
    ],
)
def test_tables_that_are_not_what_was_made(engine: Engine, statement: str) -> None:
    engine.lake.database.run(lambda writer: writer.execute(statement).fetchall())
    one(fsck(engine), "lake.db: ", "not what was made" if "ALTER" in statement else " is ")


def test_a_table_of_a_later_release_is_no_damage(engine: Engine) -> None:
    engine.lake.database.run(lambda writer: writer.execute("CREATE TABLE later(id INTEGER)").fetchall())
    assert fsck(engine).damage == []


def test_more_transactions_were_noted_than_there_are(engine: Engine, folder: Path) -> None:
    engine.objects.put(REPO, "main", "one", b"1")
    engine.close()
    shutil.copy(folder / "lake.db", folder.with_name("before"))
    with_more = Engine.open(folder)
    with_more.objects.put(REPO, "main", "two", b"2")
    with_more.close()
    shutil.copy(folder.with_name("before"), folder / "lake.db")
    one(fsck(folder), "the database is older than it was")


def test_a_staged_row_that_is_not_what_was_written(engine: Engine) -> None:
    sql(engine, "UPDATE staging SET value = x'c1'")
    one(fsck(engine), "branch main", "the staged change of", "is not what was written")


# --------------------------------------------------------------------------------------------------------------- blobs


def test_a_missing_small_blob(engine: Engine) -> None:
    sql(engine, "DELETE FROM blob WHERE length(data) = 2")
    report = fsck(engine)
    one(report, "data/042", "of 2 bytes is missing", "commit")
    assert len(report.damage) >= 90


def test_a_missing_blob_of_a_staged_entry(engine: Engine) -> None:
    sql(engine, "DELETE FROM blob WHERE data = ?", b"staged")
    report = fsck(engine)
    one(report, "branch main of repo", "staged", "is missing")
    assert len(report.damage) == 1


def test_a_small_blob_of_another_size(engine: Engine) -> None:
    sql(engine, "UPDATE blob SET data = x'00' WHERE data = ?", b"42")
    one(fsck(engine), "data/042", "has 1 bytes")


def test_an_altered_small_blob_is_seen_when_data_is_read(engine: Engine) -> None:
    sql(engine, "UPDATE blob SET data = x'0000' WHERE data = ?", b"42")
    assert fsck(engine).damage == []
    one(fsck(engine, read_data=True), "blob", "its content has the hash")


def large(engine: Engine) -> Path:
    address = engine.objects.stat(REPO, "main", "large").physical_address
    return Path(engine.lake.blobs.path(bytes.fromhex(address.rpartition("/")[2])))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.unlink(), ["large", "is missing"]),
        (lambda path: os.truncate(path, 5), ["large", "has 5 bytes"]),
    ],
)
def test_a_large_blob_that_is_not_what_it_was(engine: Engine, harm: Callable[[Path], None], words: list[str]) -> None:
    harm(large(engine))
    one(fsck(engine), *words)
    one(fsck(engine, read_data=True), *words)


def test_a_flipped_bit_in_a_large_blob_is_seen_when_data_is_read(engine: Engine, rng: random.Random) -> None:
    path = large(engine)
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    assert fsck(engine).damage == []
    one(fsck(engine, read_data=True), path.name, "its content has the hash")


def test_an_address_outside_the_lake_is_nobodys_promise(engine: Engine, tmp_path: Path) -> None:
    stage = models.ObjectStage(physical_address="local://elsewhere/a", checksum="x", size_bytes=3)
    engine.objects.stage(REPO, "main", "foreign", stage)
    assert fsck(engine, read_data=True).damage == []


def test_imported_files_that_are_gone_or_changed_are_reported_and_no_damage(engine: Engine, tmp_path: Path) -> None:
    place = tmp_path / "imported"
    place.mkdir()
    for name in ("changed", "gone", "kept"):
        (place / name).write_bytes(name.encode())
    locations = [models.ImportLocation("common_prefix", f"local://{place}/", "imported/")]
    engine.branches.create(REPO, models.BranchCreation("imports", "main"))
    creation = models.ImportCreation(locations, models.CommitCreation("imported"))
    name = engine.imports.start(REPO, "imports", creation, who="me")
    while not (status := engine.imports.status(REPO, name)).completed:
        assert status.error is None
    assert fsck(engine, read_data=True).outside == []
    (place / "changed").write_bytes(b"other")
    (place / "gone").unlink()
    stage = models.ObjectStage(physical_address="local://elsewhere/a", checksum="x", size_bytes=3)
    engine.objects.stage(REPO, "main", "foreign", stage)
    report = fsck(engine, read_data=True)
    assert (report.damage, report.exit_code) == ([], 0)
    assert report.counts["files outside the lake"] == 4
    assert len(report.outside) == 3
    for words in (
        ("imported/changed", "has changed since"),
        ("imported/gone", "cannot be read: No such file"),
        ("foreign", "its bytes are at local://elsewhere/a"),
    ):
        assert any(all(word in line for word in words) for line in report.outside), report.outside
    assert any(line.startswith("outside the lake: ") for line in report.lines())


def test_a_part_of_the_data(engine: Engine) -> None:
    whole = fsck(engine, read_data=True).counts["bytes read"]
    parts = [fsck(engine, subset=Subset.parse(f"{number}/3")).counts["bytes read"] for number in (1, 2, 3)]
    assert sum(parts) == whole
    assert all(parts)
    sql(engine, "UPDATE blob SET data = x'0000' WHERE data = ?", b"42")
    found = [fsck(engine, subset=Subset.parse(f"{number}/3")).exit_code for number in (1, 2, 3)]
    assert sorted(found) == [0, 0, 1]


# --------------------------------------------------------------------------------------------------------- the folder


def test_a_folder_is_checked_as_an_open_lake_is(engine: Engine, folder: Path) -> None:
    expected = fsck(engine, read_data=True)
    assert fsck(folder, read_data=True) == expected
    engine.close()
    assert fsck(str(folder), read_data=True) == expected
    assert expected.values()["sound"] is True


def test_damaged_keys(engine: Engine, folder: Path) -> None:
    Keys(folder).install()
    assert fsck(engine).damage == []
    path = folder / "keys.json"
    path.write_bytes(path.read_bytes().replace(b"admin", b"bdmin", 1))
    one(fsck(engine), "keys.json", "damaged")


def test_a_later_format_cannot_be_checked(engine: Engine, folder: Path) -> None:
    engine.close()
    later = notes.make("2030-01-01T00:00:00+00:00", {})
    later["format"] = 3
    later["sum"] = notes._sum({key: value for key, value in later.items() if key != "sum"})
    (folder / "format.json").write_text(notes.write(later))
    report = fsck(folder)
    one(report, "format.json", "lake of format 3")  # the database is of this one
    connection = apsw.Connection(str(folder / "lake.db"))
    text = notes.write(later)
    connection.execute(
        "UPDATE meta SET value = ?, sum = ? WHERE key = 'format'", (text, row_sum("meta", "format", text))
    )
    connection.execute("PRAGMA user_version = 3")
    connection.close()
    with pytest.raises(LakeFormatError, match="a newer one"):
        fsck(folder)


def test_a_lake_without_its_database(engine: Engine, folder: Path) -> None:
    engine.close()
    (folder / "lake.db").unlink()
    one(fsck(folder), "lake.db is missing")


@pytest.mark.parametrize("text", [None, "", '{"format": 1, "tree": {}}'])
def test_a_format_that_is_not_the_lakes(engine: Engine, folder: Path, text: str | None) -> None:
    path = folder / "format.json"
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    one(fsck(engine), "format.json")


def content(engine: Engine) -> dict[str, bytes]:
    """All that a reader of the branch sees."""
    found = {}
    for stats in engine.objects.list(REPO, "main", amount=1000).results:
        body = engine.objects.read(REPO, "main", stats.path)[1]
        found[stats.path] = body.body if isinstance(body.body, bytes) else os.pread(body.body.fd, INLINE * 2, 0)
        body.release()
    return found


def test_a_damaged_database_is_refused_or_reported_or_it_was_free_space(
    engine: Engine, folder: Path, rng: random.Random
) -> None:
    expected = content(engine)
    refused = reported = 0
    engine.close()
    path = folder / "lake.db"
    whole = path.read_bytes()
    for _ in range(10):
        data = bytearray(whole)
        start = rng.randrange(4096, len(data) - 4096)
        data[start : start + 4096] = rng.randbytes(4096)
        path.write_bytes(data)
        for name in ("lake.db-wal", "lake.db-shm"):
            (folder / name).unlink(missing_ok=True)
        try:
            reopened = Engine.open(folder)
        except LakeCorruptError:
            refused += 1
            continue
        try:
            if fsck(reopened, read_data=True).exit_code == 1:
                reported += 1
            else:
                assert content(reopened) == expected
        finally:
            reopened.close()
    assert refused + reported
    path.write_bytes(whole)
    reopened = Engine.open(folder)
    assert fsck(reopened, read_data=True).damage == []
    reopened.close()
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    connection.close()


# ----------------------------------------------------------------------------------------------------------- left over


def test_what_is_left_over_is_told_apart_from_damage(engine: Engine, folder: Path) -> None:
    sql(engine, "INSERT INTO node(hash, data) VALUES(x'aa', x'bb')")
    sql(engine, "INSERT INTO blob(hash, data) VALUES(x'aa', x'bb')")
    sql(engine, "INSERT INTO staging(token, path, value) VALUES(0, x'61', ?)", staging.seal(0, b"a", None))
    sql(engine, "INSERT INTO history(repository, id, data) VALUES(9999, x'aa', x'bb')")
    engine.lake.blobs.put(b"x" * (INLINE + 1))
    (folder / "objects" / "tmp" / "draft").write_bytes(b"x")
    (folder / "objects" / "holiday.jpg").write_bytes(b"x")
    engine.branches.create(REPO, models.BranchCreation("gone", "main"))
    engine.objects.put(REPO, "gone", "lost", b"lost")
    commit(engine, "gone")
    engine.branches.delete(REPO, "gone")
    report = fsck(engine)
    assert report.damage == []
    assert {what: count for what, count in report.dangling.items() if count} == {
        "nodes": 1,
        "small blobs": 1,
        "staged entries of no branch": 1,
        "commits of deleted repositories": 1,
        "large blobs": 1,
        "temporary files": 1,
        "foreign files": 1,
        "commits": 1,
    }
    assert any(line.startswith("left over, harmless: ") for line in report.lines())


def test_a_long_list_of_damage_is_cut_in_print_only(engine: Engine) -> None:
    sql(engine, "DELETE FROM blob")
    report = fsck(engine)
    assert len(report.damage) > 300
    lines = list(report.lines())
    assert len(lines) < 30
    assert lines[-2].startswith("damage: and ")
    assert lines[-1].startswith("damaged")


def test_a_lake_is_checked_while_it_is_written_to(engine: Engine) -> None:
    for index in range(20):
        engine.objects.put(REPO, "main", f"more/{index}", bytes(INLINE + 1 + index))
        if index % 5 == 0:
            commit(engine, "main")
        assert fsck(engine).damage == []
