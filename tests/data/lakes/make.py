"""Makes the lake that every later version must open: `python -m tests.data.lakes.make`, once per format version.

A lake that is here already is never made anew: it stands for those that people have. The new one is `v<format>.tar.gz`
beside this file, with what it holds in `v<format>.json`.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from lakefs_hl.local.api import App
from lakefs_hl.local.disk import notes
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.keys import Keys
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.errors import NotFoundException
from lakefs_hl.spec.secret import KeyPair
from lakefs_hl.spec.wire import Request

HERE = Path(__file__).resolve().parent
REPOSITORY = "kept"
#: The last second of the year 9999.
LAST = 253_402_300_799
PAIR = KeyPair("AKIAKEPTFORTHETESTS0", "a secret that was never one, forty chars")


def make(folder: Path) -> None:
    """A lake with something of every kind of row and of file."""
    engine = Engine.open(folder)
    engine.repositories.create(models.RepositoryCreation(REPOSITORY, "local://kept", "main"), who="maker")
    engine.repositories.create(
        models.RepositoryCreation("read-only", "local://ro", "main", read_only=True), who="maker"
    )
    engine.repositories.set_metadata(REPOSITORY, {"made": "once"})
    for index in range(200):
        engine.objects.put(REPOSITORY, "main", f"data/{index % 7}/{index:03d}.csv", b"row\n" * index)
    engine.objects.put(REPOSITORY, "main", "large.bin", bytes(range(256)) * 100)
    engine.objects.put(REPOSITORY, "main", "empty", b"")
    engine.objects.put(
        REPOSITORY, "main", "naïve/名前 %2F.txt", b"text", content_type="text/plain", metadata={"key": "välue"}
    )
    first = commit(engine, "main", "first")
    engine.branches.create(REPOSITORY, models.BranchCreation("side", "main"))
    engine.branches.create(REPOSITORY, models.BranchCreation("tx-hidden", "main", hidden=True))
    engine.objects.put(REPOSITORY, "side", "data/3/010.csv", b"changed")
    engine.objects.delete(REPOSITORY, "side", "data/4/011.csv")
    commit(engine, "side", "second")
    engine.objects.put(REPOSITORY, "main", "data/5/012.csv", b"changed too")
    commit(engine, "main", "third")
    engine.merges.merge(REPOSITORY, "side", "main", models.Merge(message="joined"), who="maker")
    engine.tags.create(REPOSITORY, models.TagCreation("v1", first))
    engine.objects.stage(
        REPOSITORY,
        "main",
        "outside",
        models.ObjectStage(physical_address="local://elsewhere/outside", checksum="0" * 32, size_bytes=5, mtime=1),
    )
    engine.objects.put(REPOSITORY, "side", "staged", b"not committed")
    engine.objects.delete(REPOSITORY, "side", "data/6/013.csv")
    engine.settings.set_protection(REPOSITORY, [models.BranchProtectionRule("release/*")], None)
    engine.settings.set_gc_rules(REPOSITORY, models.GCRules(21, [models.GCBranchRule("main", 28)]))
    engine.objects.put(REPOSITORY, "main", "far", b"of the last year")
    commit(engine, "main", "fourth", date=LAST)
    upload = Request(
        endpoints.UPLOAD_OBJECT, (REPOSITORY, "main"), {"path": "keyed"}, {"idempotency-key": "once"}, body=b"keyed"
    )
    App(engine)(upload, "maker")
    engine.pulls.create(REPOSITORY, models.PullRequestCreation("a title", "side", "main", "why"), who="maker")
    Keys(engine.folder).install(PAIR)
    engine.close()


def commit(engine: Engine, branch: str, message: str, date: int = 1_700_000_000) -> str:
    """Commits; gives the id."""
    creation = models.CommitCreation(message, metadata={"by": "make.py"}, date=date)
    return engine.commits.commit(REPOSITORY, branch, creation, who="maker").id


def content(engine: Engine) -> dict[str, Any]:
    """What a lake holds, as JSON."""
    refs = {ref.id: ref.commit_id for ref in engine.branches.page(REPOSITORY, "", "", 100, True).results}
    tags = {tag.id: tag.commit_id for tag in engine.tags.page(REPOSITORY, "", "", 100).results}
    return {
        "repositories": [repo.id for repo in engine.repositories.page("", "", 100, "").results],
        "metadata": engine.repositories.metadata(REPOSITORY),
        "branches": refs,
        "tags": tags,
        "objects": {ref: objects(engine, ref) for ref in [*refs, *tags]},
        "retention": retention(engine),
        "uncommitted": [one.path for one in engine.diffs.branch(REPOSITORY, "main").results],
        "pulls": [one.title for one in engine.pulls.page(REPOSITORY, "", "", 10).results],
        "dates": [one.creation_date for one in log(engine)],
        "log": [[one.id, one.message, one.committer, one.parents, one.generation] for one in log(engine)],
    }


def retention(engine: Engine) -> int | None:
    """How many days history is kept; None if nothing was said."""
    try:
        return engine.settings.gc_rules(REPOSITORY).default_retention_days
    except NotFoundException:
        return None


def log(engine: Engine) -> list[models.Commit]:
    """The history of the default branch."""
    return list(engine.commits.log(REPOSITORY, "main", amount=100).results)


def objects(engine: Engine, ref: str) -> dict[str, list[Any]]:
    """Path to checksum, size, type, metadata, for all that a reference shows."""
    page = engine.objects.list(REPOSITORY, ref, amount=1000)
    return {one.path: [one.checksum, one.size_bytes, one.content_type, one.metadata] for one in page.results}


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leaves out whose files they were."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def main() -> None:
    """Makes the lake of this release's format, unless there is one."""
    name = f"v{notes.VERSION}"
    target = HERE / f"{name}.tar.gz"
    if target.exists():
        sys.exit(f"{target} is there, and is never made anew")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / name
        make(folder)
        with tarfile.open(target, "w:gz") as archive:
            archive.add(folder, name, filter=_anonymous)
        engine = Engine.open(folder)
        text = json.dumps(content(engine), ensure_ascii=False, separators=(",", ":"))
        engine.close()
        (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
