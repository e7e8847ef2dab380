"""Random programs, run through our calls and through lakeFS's own generated client: both must tell the same.

Each runs in a repository of its own on one served lake. What differs by nature is made equal before it is compared:
commit ids become the order in which the commits were made, our mark in commit metadata is left out, a refusal is its
status, and of ours the class too.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias, cast

from hypothesis import strategies as st
from lakefs_sdk import models as generated_models
from lakefs_sdk.client import LakeFSClient
from lakefs_sdk.configuration import Configuration
from lakefs_sdk.exceptions import ApiException

from lakefs_hl.exceptions import ServerException
from lakefs_hl.spec.refusals import meaning_of
from tests.worlds import World

#: Their types hold no default to be one.
models: Any = generated_models
BRANCHES = ("main", "dev", "feature")
TAGS = ("v1", "v2")
PATHS = ("a", "a/b", "a/c", "b/x y", "z/é&=+")
PREFIXES = ("", "a", "a/", "none/")
#: The n-th commit that the program made, and names; "~1" steps back. Nothing is called "missing".
REFS = ("main", "main", "dev", "feature", "v1", "v2", "c0", "c1", "c2", "c3", "main~1", "dev~1", "missing")


class Step(NamedTuple):
    """One call: the name of a method of `Ours` and `Theirs`, and its arguments."""

    call: str
    args: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.call}{self.args}"


def _steps() -> st.SearchStrategy[Step]:
    branch, path, ref = st.sampled_from(BRANCHES), st.sampled_from(PATHS), st.sampled_from(REFS)
    content = st.sampled_from((b"", b"1", b"22", b"333" * 500))
    strategy = st.sampled_from((None, None, "source-wins", "dest-wins"))
    parent = st.sampled_from((0, 0, 1, 2))
    kinds: dict[str, tuple[int, tuple[st.SearchStrategy[Any], ...]]] = {
        "upload": (6, (branch, path, content)),
        "create": (1, (branch, path, content)),
        "describe": (1, (branch, path, st.sampled_from(({}, {"k": "v"}, {"k": "ü", "l": ""})))),
        "delete": (2, (branch, path)),
        "delete_many": (1, (branch, st.lists(path, min_size=1, max_size=3, unique=True))),
        "copy": (2, (branch, ref, path, path)),
        "stat": (1, (ref, path)),
        "read": (1, (ref, path)),
        "listing": (1, (ref, st.sampled_from(PREFIXES), st.sampled_from(("", "/")))),
        "commit": (5, (branch, st.booleans())),
        "branch": (3, (branch, ref)),
        "drop_branch": (1, (branch,)),
        "tag": (1, (st.sampled_from(TAGS), ref)),
        "drop_tag": (1, (st.sampled_from(TAGS),)),
        "merge": (3, (ref, branch, strategy, st.booleans())),
        "revert": (2, (branch, ref, parent)),
        "pick": (2, (branch, ref)),
        "reset": (1, (branch,)),
        "hard_reset": (1, (branch, ref)),
        "diff": (1, (ref, ref, st.sampled_from(("two_dot", "three_dot")))),
    }
    weighted = [
        st.tuples(*args).map(lambda drawn, name=name: Step(name, drawn))  # type: ignore[misc]
        for name, (weight, args) in kinds.items()
        for _ in range(weight)
    ]
    return st.one_of(weighted)


def programs(steps: int) -> st.SearchStrategy[list[Step]]:
    """Programs of so many steps."""
    return st.lists(_steps(), min_size=steps, max_size=steps)


class Side:
    """What both sides have: the commits made so far, by which they are named."""

    def __init__(self, first: str) -> None:
        self.made = [first]
        self.creations = 0

    def only_once(self, content: bytes) -> bytes:
        """Content that nothing else has: what our client creates has the operation's ID in its metadata.

        So, unlike theirs, it is never the same version as what has the same content.
        """
        self.creations += 1
        return content + b" created %d" % self.creations

    def made_commit(self, id: str) -> str:
        if id not in self.made:
            self.made.append(id)
        return self.named(id)

    def named(self, id: str) -> str:
        return f"c{self.made.index(id)}" if id in self.made else f"unknown {id}"

    def ref(self, name: str) -> str:
        if name.startswith("c") and name[1:].isdecimal():
            return self.made[int(name[1:]) % len(self.made)]
        return name


class Ours(Side):
    """Our calls, in either colour."""

    def __init__(self, world: World, repository: str) -> None:
        self.repo = world.repository(repository)
        super().__init__(self.repo.branch("main").get_commit().id)

    def upload(self, branch: str, path: str, content: bytes) -> Any:
        made = self.repo.branch(branch).upload(content, path)
        return made.path, made.size_bytes, made.checksum

    def create(self, branch: str, path: str, content: bytes) -> Any:
        made = self.repo.branch(branch).upload(self.only_once(content), path, if_none_match=True)
        return made.path, made.size_bytes, made.checksum

    def describe(self, branch: str, path: str, metadata: dict[str, str]) -> Any:
        self.repo.branch(branch).set_object_metadata(path, metadata)

    def delete(self, branch: str, path: str) -> Any:
        self.repo.branch(branch).stat_object(path).delete()

    def delete_many(self, branch: str, paths: list[str]) -> Any:
        self.repo.branch(branch).delete_objects(paths)

    def copy(self, branch: str, ref: str, source: str, path: str) -> Any:
        made = self.repo.branch(branch).copy_object(self.ref(ref), source, path)
        return made.path, made.size_bytes, made.checksum

    def stat(self, ref: str, path: str) -> Any:
        found = self.repo.ref(self.ref(ref)).stat_object(path)
        return found.path, found.size_bytes, found.checksum, found.content_type, dict(found.metadata)

    def read(self, ref: str, path: str) -> Any:
        return hashlib.sha256(self.repo.ref(self.ref(ref)).download(path)).hexdigest()

    def listing(self, ref: str, prefix: str, delimiter: str) -> Any:
        found = self.repo.ref(self.ref(ref)).list_objects(prefix=prefix, delimiter=delimiter)
        return [(each.path, getattr(each, "checksum", None)) for each in found]

    def commit(self, branch: str, empty: bool) -> Any:
        made = self.repo.branch(branch).commit_changes("m", {"k": "v"}, allow_empty=empty)
        return self.made_commit(made.id), made.message, made.committer, [self.named(each) for each in made.parents]

    def branch(self, name: str, source: str) -> Any:
        self.repo.branch(name).create(self.ref(source))
        return self.named(self.repo.branch(name).head().id)

    def drop_branch(self, name: str) -> Any:
        self.repo.branch(name).delete()

    def tag(self, name: str, ref: str) -> Any:
        self.repo.tag(name).create(self.ref(ref))
        return self.named(self.repo.tag(name).get_commit().id)

    def drop_tag(self, name: str) -> Any:
        self.repo.tag(name).delete()

    def merge(self, source: str, branch: str, strategy: Any, squash: bool) -> Any:
        merged = self.repo.ref(self.ref(source)).merge_into(branch, message="g", strategy=strategy, squash=squash)
        return self.made_commit(merged.id)

    def revert(self, branch: str, ref: str, parent: int) -> Any:
        return self.made_commit(self.repo.branch(branch).revert(self.ref(ref), parent, message="v").id)

    def pick(self, branch: str, ref: str) -> Any:
        return self.made_commit(self.repo.branch(branch).cherry_pick(self.ref(ref)).id)

    def reset(self, branch: str) -> Any:
        self.repo.branch(branch).reset()

    def hard_reset(self, branch: str, ref: str) -> Any:
        self.repo.branch(branch).hard_reset(self.ref(ref))

    def diff(self, left: str, right: str, kind: Any) -> Any:
        found = self.repo.ref(self.ref(left)).diff(self.ref(right), type=kind, recursive=True)
        return [(change.type, change.path) for change in found]

    def log(self, branch: str) -> Any:
        return [(self.named(commit.id), commit.message) for commit in self.repo.branch(branch).log()]

    def uncommitted(self, branch: str) -> Any:
        return [(change.type, change.path) for change in self.repo.branch(branch).list_uncommitted()]

    def names(self) -> Any:
        return [branch.id for branch in self.repo.list_branches()], [tag.id for tag in self.repo.list_tags()]


class Theirs(Side):
    """The generated client's calls, the same by name; every listing here fits into one page."""

    def __init__(self, sdk: LakeFSClient, repository: str) -> None:
        self.sdk = sdk
        self.repo = repository
        super().__init__(sdk.branches_api.get_branch(repository, "main").commit_id)

    def upload(self, branch: str, path: str, content: bytes) -> Any:
        made = self.sdk.objects_api.upload_object(self.repo, branch, path, content=content)
        return made.path, made.size_bytes, made.checksum

    def create(self, branch: str, path: str, content: bytes) -> Any:
        content = self.only_once(content)
        made = self.sdk.objects_api.upload_object(self.repo, branch, path, content=content, if_none_match="*")
        return made.path, made.size_bytes, made.checksum

    def describe(self, branch: str, path: str, metadata: dict[str, str]) -> Any:
        wanted = models.UpdateObjectUserMetadata(set=metadata)
        self.sdk.experimental_api.update_object_user_metadata(self.repo, branch, path, wanted)

    def delete(self, branch: str, path: str) -> Any:
        self.sdk.objects_api.stat_object(self.repo, branch, path)
        self.sdk.objects_api.delete_object(self.repo, branch, path)

    def delete_many(self, branch: str, paths: list[str]) -> Any:
        self.sdk.branches_api.get_branch(self.repo, branch)  # lakeFS answers 200 for a branch that is not there
        answer = self.sdk.objects_api.delete_objects(self.repo, branch, models.PathList(paths=paths))
        assert not answer.errors

    def copy(self, branch: str, ref: str, source: str, path: str) -> Any:
        wanted = models.ObjectCopyCreation(src_path=source, src_ref=self.ref(ref))
        made = self.sdk.objects_api.copy_object(self.repo, branch, path, wanted)
        return made.path, made.size_bytes, made.checksum

    def stat(self, ref: str, path: str) -> Any:
        found = self.sdk.objects_api.stat_object(self.repo, self.ref(ref), path)
        return found.path, found.size_bytes, found.checksum, found.content_type, dict(found.metadata or {})

    def read(self, ref: str, path: str) -> Any:
        content = self.sdk.objects_api.get_object(self.repo, self.ref(ref), path)
        return hashlib.sha256(bytes(content)).hexdigest()

    def listing(self, ref: str, prefix: str, delimiter: str) -> Any:
        found = self.sdk.objects_api.list_objects(self.repo, self.ref(ref), prefix=prefix, delimiter=delimiter)
        return [(each.path, each.checksum or None) for each in found.results]

    def commit(self, branch: str, empty: bool) -> Any:
        wanted = models.CommitCreation(message="m", metadata={"k": "v"}, allow_empty=empty)
        made = self.sdk.commits_api.commit(self.repo, branch, wanted)
        return self.made_commit(made.id), made.message, made.committer, [self.named(each) for each in made.parents]

    def branch(self, name: str, source: str) -> Any:
        self.sdk.branches_api.create_branch(self.repo, models.BranchCreation(name=name, source=self.ref(source)))
        return self.named(self.head(name))

    def head(self, branch: str) -> str:
        return str(self.sdk.branches_api.get_branch(self.repo, branch).commit_id)

    def drop_branch(self, name: str) -> Any:
        self.sdk.branches_api.delete_branch(self.repo, name)

    def tag(self, name: str, ref: str) -> Any:
        made = self.sdk.tags_api.create_tag(self.repo, models.TagCreation(id=name, ref=self.ref(ref)))
        return self.named(made.commit_id)

    def drop_tag(self, name: str) -> Any:
        self.sdk.tags_api.delete_tag(self.repo, name)

    def merge(self, source: str, branch: str, strategy: Any, squash: bool) -> Any:
        wanted = models.Merge(message="g", strategy=strategy, squash_merge=squash)
        return self.made_commit(
            self.sdk.refs_api.merge_into_branch(self.repo, self.ref(source), branch, wanted).reference
        )

    def revert(self, branch: str, ref: str, parent: int) -> Any:
        wanted = models.RevertCreation(
            ref=self.ref(ref), parent_number=parent, commit_overrides=models.CommitOverrides(message="v")
        )
        self.sdk.branches_api.revert_branch(self.repo, branch, wanted)
        return self.made_commit(self.head(branch))

    def pick(self, branch: str, ref: str) -> Any:
        return self.made_commit(
            self.sdk.branches_api.cherry_pick(self.repo, branch, models.CherryPickCreation(ref=self.ref(ref))).id
        )

    def reset(self, branch: str) -> Any:
        self.sdk.branches_api.reset_branch(self.repo, branch, models.ResetCreation(type="reset"))

    def hard_reset(self, branch: str, ref: str) -> Any:
        self.sdk.experimental_api.hard_reset_branch(self.repo, branch, self.ref(ref))

    def diff(self, left: str, right: str, kind: Any) -> Any:
        found = self.sdk.refs_api.diff_refs(self.repo, self.ref(left), self.ref(right), type=kind)
        return [(change.type, change.path) for change in found.results]

    def log(self, branch: str) -> Any:
        found = self.sdk.refs_api.log_commits(self.repo, branch, amount=1000)
        return [(self.named(commit.id), commit.message) for commit in found.results]

    def uncommitted(self, branch: str) -> Any:
        found = self.sdk.branches_api.diff_branch(self.repo, branch, amount=1000)
        return [(change.type, change.path) for change in found.results]

    def lacks(self, argument: int | None, step: Step) -> bool:
        """Whether the reference that a call resolves first is not there."""
        if argument is None:
            return False
        try:
            self.sdk.commits_api.get_commit(self.repo, self.ref(step.args[argument]))
        except ApiException as exc:
            return bool(exc.status == 404)
        return False

    def names(self) -> Any:
        branches, tags = self.sdk.branches_api.list_branches(self.repo), self.sdk.tags_api.list_tags(self.repo)
        return [branch.id for branch in branches.results], [tag.id for tag in tags.results]


#: Calls that resolve a reference before they send anything, and which argument it is. If it is missing and something
#: else is wrong as well, the server might have said that first.
PINNED = {"merge": 0, "revert": 1, "pick": 1, "hard_reset": 1, "branch": 1, "tag": 1}
Told: TypeAlias = "tuple[str, Any]"


def ask_us(call: Callable[[], Any]) -> Told:
    """What our call told; a refusal of the wrong class is no refusal that a caller could catch."""
    try:
        return "returned", call()
    except ServerException as exc:
        refusal = exc
    wanted = meaning_of(refusal.status).error
    assert isinstance(refusal, wanted) or (isinstance(refusal, FileExistsError) and refusal.status == 412), (
        f"{type(refusal).__name__} for {refusal.status}, not {wanted.__name__}: {refusal}"
    )
    assert refusal.maybe_applied is False
    return "refused", refusal.status


def ask_them(call: Callable[[], Any]) -> Told:
    """What the generated client told."""
    try:
        return "returned", call()
    except ApiException as exc:
        return "refused", exc.status


@contextlib.contextmanager
def generated(url: str, key: str, secret: str) -> Iterator[LakeFSClient]:
    """lakeFS's own client, without retries of its own."""
    sdk: LakeFSClient = cast("Any", LakeFSClient)(Configuration(host=f"{url}/api/v1", username=key, password=secret))
    try:
        yield sdk
    finally:
        sdk._api.rest_client.pool_manager.clear()


def play(program: list[Step], ours: Ours, theirs: Theirs) -> None:
    """Runs a program on both sides; after every step all that can be seen of the touched branch is the same."""
    done: list[str] = []
    for step in program:
        done.append(str(step))
        us = ask_us(lambda step=step: getattr(ours, step.call)(*step.args))  # type: ignore[misc]
        them = ask_them(lambda step=step: getattr(theirs, step.call)(*step.args))  # type: ignore[misc]
        if not (us == ("refused", 404) and them[0] == "refused" and theirs.lacks(PINNED.get(step.call), step)):
            assert us == them, f"{step}: ours {us}, theirs {them}, after {done}"
        branch = next((arg for arg in step.args if arg in BRANCHES), "main")
        for look, args in (
            ("log", (branch,)),
            ("listing", (branch, "", "")),
            ("uncommitted", (branch,)),
            ("diff", ("main", branch, "two_dot")),
            ("names", ()),
        ):
            seen_by_us = ask_us(lambda look=look, args=args: getattr(ours, look)(*args))  # type: ignore[misc]
            seen_by_them = ask_them(lambda look=look, args=args: getattr(theirs, look)(*args))  # type: ignore[misc]
            assert seen_by_us == seen_by_them, f"{look}{args} after {done}: ours {seen_by_us}, theirs {seen_by_them}"
