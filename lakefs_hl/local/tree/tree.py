"""The tree as its users see it: roots in, roots and entries out.

Rules of the room: no logic here; each method is one call into the module that does the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lakefs_hl.local.tree import check, diff, merge, read, write
from lakefs_hl.local.tree.cache import Cache
from lakefs_hl.local.tree.node import END, Nodes, Shape


def _never(_left: bytes, _right: bytes) -> bool:
    return False


class Tree:
    """Persistent sorted maps from keys to values, each named by the digest of its root.

    Maps share what they have in common. A root is a pure function of the content: the same entries give the same root,
    however they came to be. Cheap to make: one per operation, over that operation's `nodes`.

    Keys are non-empty UTF-8; values are any bytes. A damaged or missing node raises `TreeCorruptError`.

    Args:
        nodes: Where nodes are kept.
        shape: Where trees are cut; one for all trees of these nodes.
        cache: Nodes in memory; may be shared by trees and threads.
        same: Whether two values that differ in their bytes mean the same. Used by `diff` and `merge`.

    Examples:
        >>> from lakefs_hl.local.tree import Cache, MemoryNodes, Shape, Tree
        >>> tree = Tree(MemoryNodes(), Shape(seed=2), Cache())
        >>> base = tree.build([(b"a", b"1"), (b"b", b"2")])
        >>> ours = tree.apply(base, [(b"a", b"one")])
        >>> theirs = tree.apply(base, [(b"b", None), (b"c", b"3")])
        >>> list(tree.diff(base, theirs))
        [(b'b', b'2', None), (b'c', None, b'3')]
        >>> merged, conflicts = tree.merge(base, ours, theirs)
        >>> list(tree.scan(merged)), conflicts
        ([([b'a', b'c'], [b'one', b'3'])], [])
        >>> merged == tree.build([(b"a", b"one"), (b"c", b"3")])
        True
    """

    __slots__ = ("_reader", "_same")

    def __init__(self, nodes: Nodes, shape: Shape, cache: Cache, same: diff.Same = _never) -> None:
        self._reader = read.Reader(nodes, shape, cache)
        self._same = same

    def empty(self) -> bytes:
        """Put the empty tree and return its root."""
        return write.empty(self._reader)

    def get(self, root: bytes, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        return read.get(self._reader, root, key)

    def find(self, root: bytes, keys: Iterable[bytes]) -> Iterator[bytes | None]:
        """Yield the value of each key, or None; the keys must ascend. Cheaper than to `get` them one by one."""
        return read.find(self._reader, root, keys)

    def scan(self, root: bytes, start: bytes = b"", end: bytes = END) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Yield the entries with start <= key < end, in order, as (keys, values) of one leaf at a time.

        The first slice costs one way down: to list by directory, scan again from the directory + `END`.
        """
        return read.scan(self._reader, root, start, end)

    def build(self, items: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Make a tree of items, in strictly ascending order of keys, in memory that does not grow with their number.

        Raises:
            ValueError: A key is out of order, empty, or has a byte 0xff. Nodes may have been put already.
        """
        return write.build(self._reader, items)

    def apply(self, root: bytes, edits: Sequence[write.Edit]) -> bytes:
        """Change a tree and return the root of the result.

        Args:
            root: The tree, which stays as it is.
            edits: (key, value), in strictly ascending order of keys; None deletes the key if it is there.

        Raises:
            ValueError: A key is out of order, empty, or has a byte 0xff.
        """
        return write.apply(self._reader, root, edits)

    def diff(self, left: bytes, right: bytes, *, start: bytes = b"", end: bytes = END) -> Iterator[diff.Change]:
        """Yield (key, left value, right value) for what differs, in key order, start <= key < end; None: not there.

        Lazy: what is not asked for is not read. To go on after a key, start at the key + a zero byte; after a
        directory, at the directory + `END`.
        """
        return diff.diff(self._reader, left, right, self._same, start=start, end=end)

    def merge(
        self, base: bytes, dest: bytes, source: bytes, strategy: merge.Strategy | None = None
    ) -> tuple[bytes | None, list[merge.Conflict]]:
        """Bring what `source` changed since `base` into `dest`.

        Args:
            base: What both come from.
            dest: The tree to change; where nothing is to change, its values are kept byte for byte.
            source: The tree whose changes are wanted.
            strategy: Who wins where both changed a key differently; None: nobody, it is a conflict.

        Returns:
            The merged root and no conflicts, or None and all conflicts in key order. Where only the source touched a
            whole part of the tree its values are taken byte for byte, also those that are the `same`.
        """
        return merge.merge(self._reader, base, dest, source, same=self._same, strategy=strategy)

    def walk(
        self, root: bytes, *, seen: dict[bytes, check.Span | None] | None = None, on_fault: check.Fault | None = None
    ) -> Iterator[check.Visit]:
        """Verify a tree: yield each sound node once, children before parents, past the cache.

        Checked: digest, encoding, order of keys, levels, ranges of children, and where levels are cut.

        Args:
            root: The tree.
            seen: Nodes already visited, for trees that share nodes; they are passed over, and new ones are added.
            on_fault: Called with each fault, after which the walk goes on; without it the first fault is raised.
        """
        return check.walk(self._reader, root, seen, on_fault)

    def reach(self, root: bytes, *, seen: set[bytes] | None = None) -> Iterator[bytes]:
        """Yield the digest of each node once, for garbage collection; leaves are named, not read.

        Args:
            root: The tree.
            seen: Digests already reached, whose subtrees are passed over; new ones are added.
        """
        return check.reach(self._reader, root, seen)
