"""Very many edits in pieces, and nodes written before anything names them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakefs_hl.local.engine import Engine, bulk
from lakefs_hl.local.engine.bulk import BulkNodes
from lakefs_hl.local.tree import Cache, MemoryNodes, Shape, Tree


@pytest.fixture
def tree() -> Tree:
    return Tree(MemoryNodes(), Shape(seed=1), Cache())


def key(number: int) -> bytes:
    return f"k/{number:05d}".encode()


@pytest.mark.parametrize("piece", [1, 7, 5000])
def test_pieces_make_no_difference(tree: Tree, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PIECE", piece)
    root = tree.build([(key(number), b"old") for number in range(0, 400, 4)])
    edits = [(key(number), None if number % 8 == 0 else b"new") for number in range(0, 400, 2)]
    left = {key(number): b"old" for number in range(0, 400, 4)} | dict(edits)
    kept = sorted((at, value) for at, value in left.items() if value is not None)
    assert bulk.apply(tree, root, edits) == tree.build(kept)
    assert bulk.apply(tree, tree.empty(), edits) == tree.build([(at, value) for at, value in edits if value])
    assert bulk.apply(tree, root, []) == root


def test_edits_are_taken_a_piece_at_a_time(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PIECE", 10)
    taken = 0

    def edits() -> Iterator[tuple[bytes, bytes]]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield key(number), b"x"

    seen = list[int]()
    real = Tree.apply

    def watched(self: Tree, root: bytes, piece: list[tuple[bytes, bytes | None]]) -> bytes:
        seen.append(taken)
        return real(self, root, piece)

    monkeypatch.setattr(Tree, "apply", watched)
    bulk.apply(tree, tree.build([(b"a", b"x")]), edits())
    assert seen == list(range(10, 101, 10))


def test_nodes_are_written_in_batches(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH", 10_000)
    nodes = BulkNodes(engine.lake)
    tree = engine.lake.tree(nodes)
    most = 0

    def items() -> Iterator[tuple[bytes, bytes]]:
        nonlocal most
        for number in range(3000):
            most = max(most, sum(map(len, nodes._pending.values())))
            yield key(number), bytes(50)

    root = tree.build(items())
    assert 0 < most < 10_000
    nodes.flush()
    with engine.lake.read() as snapshot:
        assert sum(len(keys) for keys, _ in snapshot.tree.scan(root)) == 3000
