"""Tags of objects: read, change, write, with the other metadata as it was."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops import tagging
from lakefs_hl.spec import errors, models
from tests.ops.script import Play, lost, no, ok, session, step

WHERE = ("r", "b")
AT = {"path": "k"}


def found(**metadata: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in metadata.items()}
    return step(
        "statObject", *WHERE, query=AT, answer=ok(models.ObjectStats("k", "object", "p", "c", 1, metadata=named))
    )


def changed(answer: Any = None, **metadata: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in metadata.items()}
    body = {"set": named}
    return step("updateObjectUserMetadata", *WHERE, query=AT, body=body, answer=answer or ok(status=201))


def change(tags: str | None) -> Any:
    return tagging.change(session(), "r", "b", "k", tags)


def test_only_the_tags_change() -> None:
    Play(found(k="v", lakefs_hl_tags="old"), changed(k="v", lakefs_hl_tags="new")).run(change("new"))
    Play(found(k="v", lakefs_hl_tags="old"), changed(k="v")).run(change(None))


@pytest.mark.parametrize(("tags", "before"), [(None, {"k": "v"}), ("old", {"k": "v", "lakefs_hl_tags": "old"})])
def test_nothing_is_written_if_nothing_changes(tags: str | None, before: dict[str, str]) -> None:
    Play(found(**before)).run(change(tags))


def test_a_lost_response_is_looked_after() -> None:
    written = changed(lost(), lakefs_hl_tags="new")
    Play(found(), written, found(lakefs_hl_tags="new")).run(change("new"))
    again = changed(lakefs_hl_tags="new")
    Play(found(), written, found(), again).run(change("new"))
    play = Play(found(), written, found(lakefs_hl_tags="theirs"))
    play.fails(change("new"), errors.AmbiguousOutcomeError, "outcome unknown")


def test_a_missing_object_is_an_error() -> None:
    missing = step("statObject", *WHERE, query=AT, answer=no(404, "not found"))
    there = step("getCommit", *WHERE, answer=ok(models.Commit("c" * 64, [], "who", "m", 1, "")))
    Play(missing, there).fails(change("new"), errors.ObjectNotFoundException, "looking up lakefs://r/b/k")


def replace(**metadata: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in metadata.items()}
    return tagging.replace_metadata(session(), "r", "b", "k", named)


def test_new_metadata_keeps_the_tags() -> None:
    Play(found(old="1", lakefs_hl_tags="t"), changed(new="2", lakefs_hl_tags="t")).run(replace(new="2"))
    Play(found(old="1"), changed(new="2")).run(replace(new="2"))
    gzip = {"content_encoding": "gzip"}  # without it, the content could not be decoded any more
    Play(found(old="1", **gzip), changed(new="2", **gzip)).run(replace(new="2"))
    Play(found(old="1", **gzip), changed(content_encoding="br")).run(replace(content_encoding="br"))
    # with the key of the tags, everything is given; the state before is looked up in case the response is lost
    Play(found(old="1", lakefs_hl_tags="t"), changed(lakefs_hl_tags="u")).run(replace(lakefs_hl_tags="u"))
