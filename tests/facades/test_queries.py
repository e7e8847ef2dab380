"""Queries: what is typed, and how texts are compared with it."""

from __future__ import annotations

import random
import string

import apsw
import pytest

from lakefs_hl.facades import queries


@pytest.fixture(scope="module")
def words() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE word USING fts5(text, content='', tokenize=\"unicode61 remove_diacritics 2\")"
    )
    return connection


@pytest.mark.parametrize(
    ("query", "match"),
    [
        ("one", '"one"*'),
        ("one ", '"one"'),
        ("one two", '"one" AND "two"*'),
        ('"one two" three', '"one two" AND "three"*'),
        ('"one two"', '"one two"'),
        ('"one tw', '"one tw"*'),
        ("a/b.csv", '"a/b.csv"*'),
        ("oneTwo", '("oneTwo"* OR "one Two"*)'),
        ("HTTPServer2 ", '("HTTPServer2" OR "HTTP Server 2")'),
        ("a1b2c3d4 ", '"a1b2c3d4"'),
        ("--- * one", '"one"*'),
        ("one --", '"one"'),
        ("---", None),
        ("a\0b ", '"a b"'),
        ("lakefs://repo/main/a b", '"a b"*'),
        ('lakefs://repo/main/a"b ', '"a b"'),
    ],
)
def test_what_is_typed_becomes_an_expression(query: str, match: str | None) -> None:
    assert queries.read(query).match == match


def test_a_uri_is_a_path_in_its_repository() -> None:
    for query, text, repository in (
        ("lakefs://repo/main/a/b", "a/b", "repo"),
        (" lakefs://repo/main/ ", "main", "repo"),
        ("lakefs://repo", "repo", "repo"),
        ("lakefs://", "lakefs://", None),
        ("s3://repo/main/a", "s3://repo/main/a", None),
    ):
        found = queries.read(query)
        assert (found.given, found.text, found.repository) == (query, text, repository)


def test_no_query_is_an_error_of_the_database(words: apsw.Connection, rng: random.Random) -> None:
    letters = string.printable + "äÉ\u0301\u200b漢字\ud800\udfff\U0001f600"
    for _ in range(3000):
        query = "".join(rng.choices(letters, k=rng.randrange(1, 40)))
        if not query.strip():
            continue
        match = queries.read(query).match
        if match is not None:
            list(words.execute("SELECT rowid FROM word WHERE word MATCH ?", (match,)))


def test_many_words_are_bounded(words: apsw.Connection) -> None:
    match = queries.read("aB " * 1300).match
    assert match is not None
    assert match.count("AND") == queries.MAX_WORDS - 1
    list(words.execute("SELECT rowid FROM word WHERE word MATCH ?", (match,)))


def test_excerpts_are_short_and_have_the_word() -> None:
    query = queries.read("needle")
    for text in (
        "a needle",
        "x\n" * 50 + "a needle here\nend",
        "a" * 500 + " needle " + "b" * 500,
        "needle " + "b" * 500,
    ):
        shown = queries.excerpt(query, text)
        assert "needle" in shown
        assert len(shown) <= queries.EXCERPT
        assert "\n" not in shown
    assert queries.excerpt(query, "c " * 300 + "needle").endswith("needle")
    assert queries.excerpt(query, "nothing\nof it") == "nothing"


def test_scores() -> None:
    query = queries.read("Report.csv")
    texts = ["report.CSV", "x/report.csv", "x/y/report.csv", "x/my-report.csv.old", "report/all.csv"]
    scores = [queries.score(query, text, is_path=True) for text in texts]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)
    assert scores[0] == 1.0
    assert all(0 <= score < 1 for score in scores[1:])


def test_folding_keeps_positions() -> None:
    text = "İstanbul ÉCOLE ﬁn ß 漢"
    assert len(queries.fold(text)) == len(text)
    assert queries.fold("Écôle") == "ecole"
