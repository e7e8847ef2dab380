"""The sample set: what it says of itself is so, and it is committed, not staged."""

from __future__ import annotations

import csv
import hashlib
import re

import pytest

from lakefs_hl.local.disk.tables import staging
from lakefs_hl.local.engine import Engine, samples
from lakefs_hl.spec import models
from tests.local.engine.support import head


@pytest.fixture
def sampled(engine: Engine) -> Engine:
    """With a repository `sampled` whose default branch is `trunk`."""
    creation = models.RepositoryCreation("sampled", "local://sampled", default_branch="trunk", sample_data=True)
    engine.repositories.create(creation, who="them")
    return engine


def test_the_table_has_the_columns_that_the_query_asks_for() -> None:
    files = {path: content.decode() for path, (_, content) in samples.files().items()}
    header, *rows = csv.reader(files["data/cities.csv"].splitlines())
    assert rows
    assert all(len(row) == len(header) for row in rows)
    query = files["queries/north.sql"]
    asked = re.findall(r"(?:SELECT|WHERE|BY) (\w+)", query)
    assert len(asked) == 3
    assert set(asked) <= set(header)
    north = [float(row[header.index("latitude")]) > 0 for row in rows]
    assert any(north), "the query finds something"
    assert not all(north), "and not everything"


def test_the_description_names_files_that_are_there() -> None:
    files = samples.files()
    named = re.findall(r"`([^`]+)`", files["README.md"][1].decode())
    assert named
    for name in named:
        assert any(path.endswith(name) for path in files), name


def test_they_are_read_as_they_are_made(sampled: Engine) -> None:
    listed = {one.path: one for one in sampled.objects.list("sampled", "trunk").results}
    assert sorted(listed) == sorted(samples.files())
    for path, (kind, content) in samples.files().items():
        stats = listed[path]
        assert (stats.content_type, stats.size_bytes) == (kind, len(content))
        assert stats.checksum == hashlib.md5(content, usedforsecurity=False).hexdigest()
        _, found = sampled.objects.read("sampled", "trunk@", path)
        assert found.body == content
        found.release()


def test_they_are_one_commit_after_the_first(sampled: Engine) -> None:
    sample, first = sampled.commits.log("sampled", "trunk").results
    assert (sample.parents, sample.committer) == ([first.id], "them")
    assert (first.generation, sample.generation) == (1, 2)
    with sampled.lake.read("sampled") as snapshot:
        row = snapshot.head("trunk")
        assert row.head.hex() == sample.id
        assert staging.count(snapshot.reader, row.tokens, 1) == 0


def test_a_repository_without_them_has_one_commit(engine: Engine) -> None:
    assert head(engine).head.hex() == engine.commits.log("repo", "main").results[-1].id
