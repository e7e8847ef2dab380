"""Random histories of an embedded lake, compared with a model in dictionaries after every step."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import ServerException
from tests.stateful.model import Branch, Lake, Refused, Row, Tree, brought, equal, fold

T = TypeVar("T")
EXAMPLES, STEPS = 200, 50
_names = count()

PATHS = ("a", "a-b", "a/", "a/b", "a/b/c", "a/b0", "a/c", "a0", "ab", "b//x", "b/x", "é/ü", "é/ý", "z", "z/z/z", "~")
paths = st.sampled_from(PATHS)
contents = st.sampled_from((b"", b"1", b"22", b"333"))
picks = st.sampled_from(range(64 * 12))  # even, where integers() would favour the first few
prefixes = st.sampled_from(("", "", "a", "a/", "a/b", "b/", "é", "z", "none"))
delimiters = st.sampled_from(("", "/", "/", "b", "//"))
afters = st.one_of(st.just(""), paths, st.sampled_from(("a/", "a/b/", "b/", "é/", "m", "zz")))
amounts = st.sampled_from((1, 2, 3, 7, 1000))
strategies = st.sampled_from(("", "", "dest-wins", "source-wins"))
parent_numbers = st.sampled_from((0, 0, 1, 1, 2, 3))
#: Dates that a commit may be given, seconds; None is now.
dates = st.sampled_from((None, None, None, 1, 10**9, 4 * 10**9))


class LakeMachine(RuleBasedStateMachine):
    """One repository and its model."""

    engine: ClassVar[Engine]
    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.now = "begin"
        self.repo = f"repo-{next(_names)}"
        self.names = count()
        before = time.time_ns() // 10**9 * 10**9
        self.engine.repositories.create(models.RepositoryCreation(self.repo, f"local://{self.repo}"), who="me")
        root = self.engine.branches.get(self.repo, "main").commit_id
        self.lake = Lake(root, before)

    def teardown(self) -> None:
        self.counts["histories"] += 1
        self.engine.repositories.delete(self.repo)
        assert self.told(lambda: self.engine.repositories.get(self.repo)) == 404

    def did(self, what: str) -> None:
        self.counts["steps"] += 1
        self.counts[what] += 1
        self.now = what

    def told(self, call: Callable[[], T]) -> T | int:
        """The answer, or the status of a refusal."""
        try:
            answer = call()
        except ServerException as error:
            status = error.status or error.status_code
            self.counts[f"{self.now} {status}"] += 1
            return status
        self.counts[f"{self.now} done"] += 1
        return answer

    # -- choosing ------------------------------------------------------------------------------------------------------

    def branch(self, pick: int) -> str:
        names = sorted(self.lake.branches)
        return names[pick % len(names)]

    def expression(self, pick: int) -> tuple[str, str, str | None]:
        """A reference, the commit it means (or "" and nothing has it), and the branch whose staged changes it shows."""
        lake = self.lake
        bases: list[tuple[str, str, str | None]]
        bases = [(name, branch.commit, name) for name, branch in sorted(lake.branches.items())]
        bases += [(name, commit, None) for name, commit in sorted(lake.tags.items())]
        bases += [(commit, commit, None) for commit in lake.commits]
        name, commit, branch = bases[pick % len(bases)]
        way = pick // 64  # from 6 on: the plain name
        if way == 0 and branch:
            return name + "@", commit, None
        if way == 1:
            shorts = [one for one in lake.commits if one.startswith(commit[:12])]
            return (commit[:12], commit, None) if len(shorts) == 1 else (name, commit, branch)
        steps = {2: "~", 3: "~2", 4: "^", 5: "^2"}.get(way, "")
        if not steps:
            return name, commit, branch
        try:
            return name + steps, lake.climb(commit, steps), None
        except Refused as error:
            return name + steps, f"!{error.status}", None

    def committed(self, pick: int) -> tuple[str, str]:
        """A reference that is there, and its commit."""
        ref, commit, _ = self.expression(pick)
        if commit.startswith("!"):
            ref = commit = self.lake.branches["main"].commit
        return ref, commit

    # -- changing ------------------------------------------------------------------------------------------------------

    @initialize(tree=st.dictionaries(paths, contents, min_size=4, max_size=len(PATHS)))
    def begin(self, tree: dict[str, bytes]) -> None:
        """A first commit with something in it, and two branches."""
        self.change_and_commit(0, tree, [])
        for pick in (0, 0):
            self.create_branch(pick)

    def put(self, name: str, path: str, content: bytes, *, create_only: bool = False) -> None:
        self.did("put")
        exists = path in self.lake.shown(name)
        got = self.told(lambda: self.engine.objects.put(self.repo, name, path, content, create_only=create_only))
        if create_only and exists:
            assert got == 412
        else:
            assert isinstance(got, models.ObjectStats)
            self.lake.branches[name].staged[path] = content

    @rule(pick=picks, path=paths, content=contents, create_only=st.booleans())
    def put_one(self, pick: int, path: str, content: bytes, create_only: bool) -> None:
        self.put(self.branch(pick), path, content, create_only=create_only)

    @rule(
        pick=picks,
        tree=st.dictionaries(paths, contents, min_size=1, max_size=4),
        away=st.lists(paths, max_size=3),
    )
    def change_and_commit(self, pick: int, tree: dict[str, bytes], away: list[str]) -> None:
        """What histories are mostly made of; on its own each step would often find nothing to do."""
        if away:
            self.delete(pick, away)
        for path, content in tree.items():
            self.put(self.branch(pick), path, content)
        self.commit(pick, False, None)

    @rule(pick=picks, some=st.lists(paths, min_size=1, max_size=4))
    def delete(self, pick: int, some: list[str]) -> None:
        self.did("delete")
        name = self.branch(pick)
        if len(some) == 1:
            self.engine.objects.delete(self.repo, name, some[0])
        else:
            assert self.engine.objects.delete_many(self.repo, name, some) == []
        branch, tree = self.lake.branches[name], self.lake.head(name).tree
        for path in some:
            if path in tree:
                branch.staged[path] = None
            else:
                branch.staged.pop(path, None)

    @rule(pick=picks, source=picks, path=paths, to=paths)
    def copy(self, pick: int, source: int, path: str, to: str) -> None:
        self.did("copy")
        name = self.branch(pick)
        ref, commit, branch = self.expression(source)
        got = self.told(lambda: self.engine.objects.copy(self.repo, name, to, models.ObjectCopy(path, ref)))
        if commit.startswith("!"):
            assert got == int(commit[1:])
            return
        tree = self.lake.shown(branch) if branch else self.lake.commits[commit].tree
        if path not in tree:
            assert got == 404
        else:
            assert isinstance(got, models.ObjectStats)
            self.lake.branches[name].staged[to] = tree[path]

    @rule(pick=picks, allow_empty=st.booleans(), date=dates)
    def commit(self, pick: int, allow_empty: bool, date: int | None) -> None:
        self.did("commit")
        name = self.branch(pick)
        now = time.time_ns() if date is None else date * 10**9
        creation = models.CommitCreation(f"commit {now}", None, date, allow_empty)
        got = self.told(lambda: self.engine.commits.commit(self.repo, name, creation, who="me"))
        if not allow_empty and not self.lake.uncommitted(name):
            assert got == 400
            return
        assert isinstance(got, models.Commit)
        tree, branch = self.lake.shown(name), self.lake.branches[name]
        assert got.meta_range_id
        made = self.lake.add(got.id, (branch.commit,), tree, got.meta_range_id, now, creation.message)
        assert (got.parents, got.generation, got.message) == ([branch.commit], made.generation, creation.message)
        assert date is None or got.creation_date == date
        self.lake.branches[name] = Branch(got.id)

    @rule(pick=picks, dest=picks, strategy=strategies, squash=st.booleans(), allow_empty=st.booleans())
    def merge(self, pick: int, dest: int, strategy: str, squash: bool, allow_empty: bool) -> None:
        source, commit = self.committed(pick)
        self.bring(source, commit, self.branch(dest), models.Merge(None, None, strategy, None, allow_empty, squash))

    def bring(self, source: str, commit: str, name: str, how: models.Merge) -> None:
        self.did("merge")
        head = self.lake.branches[name].commit
        base = self.base(source, name, commit, head)
        now = time.time_ns()
        got = self.told(lambda: self.engine.merges.merge(self.repo, source, name, how, who="me"))
        before, ours, theirs = (self.lake.commits[one] for one in (base, head, commit))
        blank = False
        try:
            self.lake.must_be_clean(name)
            if equal(before, theirs) and not how.allow_empty:
                raise Refused(400)
            tree, blank = brought(before, ours, theirs, how.strategy or "")
        except Refused as refused:
            expected = refused.status
        else:
            expected = 0
        if expected:
            assert got == expected
            return
        assert isinstance(got, str)
        parents = (head,) if how.squash_merge else (head, commit)
        squashed = (commit,) if how.squash_merge else ()
        self.did_make(got, parents, tree, blank, now, f"Merge '{source}' into '{name}'", squashed)
        self.lake.branches[name] = Branch(got)

    @precondition(lambda self: len(self.lake.branches) > 1)
    @rule(pick=picks, path=paths, mine=contents, yours=contents, strategy=strategies)
    def collide(self, pick: int, path: str, mine: bytes, yours: bytes, strategy: str) -> None:
        """Two branches change one path; then one is merged into the other."""
        names = sorted(self.lake.branches)
        ours, theirs = pick % len(names), (pick + 1) % len(names)
        for branch, content in ((ours, mine), (theirs, yours)):
            self.change_and_commit(branch, {path: content}, [PATHS[pick % len(PATHS)]])
        source = names[theirs]
        self.bring(source, self.lake.branches[source].commit, names[ours], models.Merge(strategy=strategy))

    def base(self, source: str, dest: str, left: str, right: str) -> str:
        """The merge base that the lake names, which must be one of the best."""
        found = self.engine.merges.base(self.repo, source, dest)
        assert found.base_commit_id in self.lake.bases(left, right)
        assert (found.destination_commit_id, found.source_commit_id) == (left, right)
        return found.base_commit_id

    @rule(pick=picks, dest=picks, number=parent_numbers, allow_empty=st.booleans())
    def revert(self, pick: int, dest: int, number: int, allow_empty: bool) -> None:
        self.did("revert")
        ref, identity = self.committed(pick)
        commit, name = self.lake.commits[identity], self.branch(dest)
        head, now = self.lake.head(name), time.time_ns()
        how = models.Revert(ref, number, allow_empty=allow_empty)
        got = self.told(lambda: self.engine.merges.revert(self.repo, name, how, who="me"))
        try:
            if len(commit.parents) > 1 and not number:
                raise Refused(409)
            if number > len(commit.parents):
                raise Refused(400)
            self.lake.must_be_clean(name)
            parent = commit.parents[max(number, 1) - 1] if commit.parents else commit.id
            before = self.lake.commits[parent]
            if equal(commit, before) and not allow_empty:
                raise Refused(400)
            tree, blank = brought(commit, head, before, "")
            if tree == head.tree and blank == (not head.root) and not allow_empty:
                raise Refused(400)
        except Refused as refused:
            expected = refused.status
        else:
            expected = 0
        if expected:
            assert got == expected
            return
        assert isinstance(got, models.Commit)
        self.did_make(got.id, (head.id,), tree, blank, now, f"Revert {ref}")
        self.lake.branches[name] = Branch(got.id)

    @rule(pick=picks, dest=picks, number=st.sampled_from((None, None, 0, 1, 1, 2)))
    def cherry_pick(self, pick: int, dest: int, number: int | None) -> None:
        self.did("cherry-pick")
        ref, identity = self.committed(pick)
        commit, name = self.lake.commits[identity], self.branch(dest)
        head, now = self.lake.head(name), time.time_ns()
        how = models.CherryPick(ref, number)
        got = self.told(lambda: self.engine.merges.cherry_pick(self.repo, name, how, who="me"))
        try:
            parent = 1 if number is None else number
            if (len(commit.parents) > 1 and number is None) or not 1 <= parent <= len(commit.parents):
                raise Refused(400)
            self.lake.must_be_clean(name)
            before = self.lake.commits[commit.parents[parent - 1]]
            if equal(before, commit):
                raise Refused(400)
            tree, blank = brought(before, head, commit, "")
        except Refused as refused:
            expected = refused.status
        else:
            expected = 0
        if expected:
            assert got == expected
            return
        assert isinstance(got, models.Commit)
        assert got.metadata["cherry-pick-origin"] == commit.id
        self.did_make(got.id, (head.id,), tree, blank, now, commit.message)
        self.lake.branches[name] = Branch(got.id)

    def did_make(
        self,
        identity: str,
        parents: tuple[str, ...],
        tree: Tree,
        blank: bool,
        date: int,
        message: str,
        squashed: tuple[str, ...] = (),
    ) -> None:
        """The commit that was made is as the model says."""
        got = self.engine.commits.get(self.repo, identity)
        made = self.lake.add(identity, parents, tree, got.meta_range_id, date, message, squashed)
        assert (got.parents, got.generation, got.message) == (list(parents), made.generation, message)
        assert blank == (not got.meta_range_id)

    @rule(pick=picks, what=st.sampled_from(("reset", "object", "common_prefix")), path=paths)
    def reset(self, pick: int, what: str, path: str) -> None:
        self.did("reset")
        name = self.branch(pick)
        self.engine.branches.reset(self.repo, name, models.Reset(what, None if what == "reset" else path))
        branch = self.lake.branches[name]
        for rows in (branch.staged, branch.sealed or {}):
            for one in list(rows):
                if what == "reset" or (one == path if what == "object" else one.startswith(path)):
                    del rows[one]
        if what == "reset":
            branch.sealed = None
        elif what == "common_prefix" and branch.staged and branch.sealed is None:
            branch.sealed = dict(branch.staged)

    @rule(pick=picks, goal=picks)
    def hard_reset(self, pick: int, goal: int) -> None:
        self.did("hard reset")
        name, (ref, commit) = self.branch(pick), self.committed(goal)
        branch, tree = self.lake.branches[name], self.lake.head(name).tree
        got = self.told(lambda: self.engine.branches.hard_reset(self.repo, name, ref))
        if any(tree.get(path) != content for path, content in (branch.sealed or {}).items()):
            assert got == 400
            return
        assert got is None
        branch.commit = commit

    # -- names ---------------------------------------------------------------------------------------------------------

    @rule(pick=picks)
    def create_branch(self, pick: int) -> None:
        self.did("branch")
        ref, commit, _ = self.expression(pick)
        name = f"b{next(self.names)}"
        got = self.told(lambda: self.engine.branches.create(self.repo, models.BranchCreation(name, ref)))
        if commit.startswith("!"):
            assert got == int(commit[1:])
        else:
            assert got == commit
            self.lake.branches[name] = Branch(commit)

    @precondition(lambda self: len(self.lake.branches) > 3)
    @rule(pick=picks)
    def delete_branch(self, pick: int) -> None:
        self.did("branch away")
        name = self.branch(pick)
        got = self.told(lambda: self.engine.branches.delete(self.repo, name))
        if name == "main":
            assert got == 403
        else:
            assert got is None
            del self.lake.branches[name]
            assert self.told(lambda: self.engine.branches.get(self.repo, name)) == 404

    @rule(pick=picks, again=st.booleans())
    def tag(self, pick: int, again: bool) -> None:
        self.did("tag")
        ref, commit = self.committed(pick)
        taken = sorted([*self.lake.tags, *self.lake.branches])
        name = taken[pick % len(taken)] if again else f"t{next(self.names)}"
        got = self.told(lambda: self.engine.tags.create(self.repo, models.TagCreation(name, ref)))
        if again:
            assert got == 409
        else:
            assert got == models.Ref(name, commit)
            self.lake.tags[name] = commit

    @precondition(lambda self: self.lake.tags)
    @rule(pick=picks)
    def delete_tag(self, pick: int) -> None:
        self.did("tag away")
        name = sorted(self.lake.tags)[pick % len(self.lake.tags)]
        self.engine.tags.delete(self.repo, name)
        del self.lake.tags[name]
        assert self.told(lambda: self.engine.tags.get(self.repo, name)) == 404

    # -- asking --------------------------------------------------------------------------------------------------------

    def pages(self, ask: Callable[[str], Any], after: str) -> Iterator[Any]:
        """All results from a place on, page by page."""
        while True:
            page = ask(after)
            assert page.pagination.results == len(page.results)
            yield from page.results
            if not page.pagination.has_more:
                assert page.pagination.next_offset == ""
                return
            assert len(page.results) > 0
            after = page.pagination.next_offset

    @rule(pick=picks, prefix=prefixes, delimiter=delimiters, after=afters, amount=amounts)
    def list_objects(self, pick: int, prefix: str, delimiter: str, after: str, amount: int) -> None:
        self.did("list")
        ref, commit, branch = self.expression(pick)
        if commit.startswith("!"):
            assert self.told(lambda: self.engine.objects.list(self.repo, ref)) == int(commit[1:])
            return
        tree = self.lake.shown(branch) if branch else self.lake.commits[commit].tree
        rows: list[Row] = [(path, "object", len(content)) for path, content in tree.items()]

        def ask(place: str) -> models.ObjectPage:
            return self.engine.objects.list(
                self.repo, ref, prefix=prefix, delimiter=delimiter, after=place, amount=amount
            )

        got = [(one.path, one.path_type, one.size_bytes) for one in self.pages(ask, after)]
        assert got == fold(rows, prefix, after, delimiter, "common_prefix")

    @rule(pick=picks, path=paths)
    def read(self, pick: int, path: str) -> None:
        self.did("read")
        ref, commit, branch = self.expression(pick)
        if commit.startswith("!"):
            assert self.told(lambda: self.engine.objects.stat(self.repo, ref, path)) == int(commit[1:])
            return
        tree = self.lake.shown(branch) if branch else self.lake.commits[commit].tree
        if path not in tree:
            assert self.told(lambda: self.engine.objects.read(self.repo, ref, path)) == 404
        else:
            stats, content = self.engine.objects.read(self.repo, ref, path)
            assert (stats.path, stats.size_bytes, content.body) == (path, len(tree[path]), tree[path])
            content.release()

    @rule(pick=picks, prefix=prefixes, delimiter=delimiters, after=afters, amount=amounts)
    def diff_staged(self, pick: int, prefix: str, delimiter: str, after: str, amount: int) -> None:
        self.did("diff")
        name = self.branch(pick)

        def ask(place: str) -> models.DiffPage:
            return self.engine.diffs.branch(
                self.repo, name, prefix=prefix, delimiter=delimiter, after=place, amount=amount
            )

        got = [(one.path, one.type, one.size_bytes) for one in self.pages(ask, after)]
        assert got == fold(self.lake.uncommitted(name), prefix, after, delimiter, "prefix_changed")

    @rule(
        one=picks,
        other=picks,
        what=st.sampled_from(("two_dot", "three_dot", "staging")),
        prefix=prefixes,
        delimiter=delimiters,
        after=afters,
        amount=amounts,
    )
    def diff(self, one: int, other: int, what: str, prefix: str, delimiter: str, after: str, amount: int) -> None:
        self.did("diff")
        (left, ours), (right, theirs) = self.committed(one), self.committed(other)
        trees = self.lake.commits[ours].tree, self.lake.commits[theirs].tree
        if what == "three_dot":
            base = self.base(left, right, ours, theirs)
            rows = self.lake.three_dot(self.lake.commits[base].tree, *trees)
        elif what == "two_dot":
            rows = self.lake.two_dot(*trees)
        else:
            name = self.branch(other)
            right, what = name + "$", "two_dot"
            rows = self.lake.two_dot(trees[0], self.lake.shown(name))

        def ask(place: str) -> models.DiffPage:
            return self.engine.diffs.refs(
                self.repo, left, right, type=what, prefix=prefix, delimiter=delimiter, after=place, amount=amount
            )

        got = [(one.path, one.type, one.size_bytes) for one in self.pages(ask, after)]
        assert got == fold(rows, prefix, after, delimiter, "prefix_changed")

    @rule(
        pick=picks,
        amount=amounts,
        first_parent=st.booleans(),
        some=st.lists(paths, max_size=2),
        under=st.lists(st.sampled_from(("a/", "b", "é")), max_size=1),
        stop=picks,
        limit=st.booleans(),
    )
    def log(
        self, pick: int, amount: int, first_parent: bool, some: list[str], under: list[str], stop: int, limit: bool
    ) -> None:
        self.did("log")
        ref, commit = self.committed(pick)
        whole = self.lake.log(commit, first_parent=first_parent, paths=tuple(some), prefixes=tuple(under))
        stop_at = ""
        if not (some or under) and stop % 3 == 0:  # with filters lakeFS's own rule is odd; ours stops all the same
            stop_at, last = self.committed(stop)
            whole = whole[: whole.index(last) + 1] if last in whole else whole

        def ask(place: str) -> models.CommitPage:
            return self.engine.commits.log(
                self.repo,
                ref,
                after=place,
                amount=amount,
                objects=some,
                prefixes=under,
                first_parent=first_parent,
                stop_at=stop_at,
                limit=limit,
            )

        if limit:
            page = ask("")
            assert not page.pagination.has_more
            assert [one.id for one in page.results] == whole[:amount]
        else:
            assert [one.id for one in self.pages(ask, "")] == whole

    @invariant()
    def names_agree(self) -> None:
        branches = self.engine.branches.page(self.repo, "", "", 1000).results
        assert {one.id: one.commit_id for one in branches} == {
            name: branch.commit for name, branch in self.lake.branches.items()
        }
        tags = self.engine.tags.page(self.repo, "", "", 1000).results
        assert [(one.id, one.commit_id) for one in tags] == sorted(self.lake.tags.items())


@pytest.fixture
def engine(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """One lake for all histories; says at the end what was done to it."""
    opened = LakeMachine.engine = Engine.open(tmp_path / "lake", sync=False)
    LakeMachine.counts.clear()
    yield opened
    opened.close()
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        said = ", ".join(f"{number:,} {what}" for what, number in LakeMachine.counts.most_common())
        terminal.ensure_newline()
        terminal.write_line(f"lake against its model: {said}")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_lake_agrees_with_the_model_after_every_step(engine: Engine) -> None:
    run_state_machine_as_test(
        LakeMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
    counts = LakeMachine.counts
    assert counts["steps"] >= EXAMPLES
    assert min(counts[f"{what} done"] for what in ("merge", "revert", "cherry-pick", "commit")) > 0
    assert counts["merge 409"] > 0  # conflicts were met
