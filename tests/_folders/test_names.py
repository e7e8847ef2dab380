from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import pytest

from lakefs_hl._folders import names
from lakefs_hl._folders.tree import Tree
from tests._folders.hostile import HOSTILE, WORDS, Row


def check(path: str, wanted: str | None, *, windows: bool) -> None:
    found = names.problem(path, windows=windows)
    if wanted is None:
        assert found is None
    else:
        assert found is not None
        assert WORDS[wanted] in found


def test_the_table_has_enough_names() -> None:
    assert len({row.path for row in HOSTILE}) == len(HOSTILE) >= 400
    assert {row.everywhere for row in HOSTILE} | {row.windows for row in HOSTILE} == {None, *WORDS}


@pytest.mark.parametrize("windows", [False, True], ids=["posix", "windows"])
def test_each_hostile_name_has_the_verdict_of_the_table(windows: bool) -> None:
    for row in HOSTILE:
        check(row.path, row.windows if windows else row.everywhere, windows=windows)


def test_a_part_of_a_path_is_named_in_the_message() -> None:
    assert names.problem("a/b\x00/c") == "it has the control character '\\x00', in the part 'b\\x00'"
    assert names.problem("..") == "it has the name '..', which means another directory"


@pytest.mark.skipif(names.WINDOWS, reason="writes names that Windows cannot have")
def test_what_is_written_stays_in_the_directory_and_the_rest_is_refused(tmp_path: Path) -> None:
    """A file of each safe name is written and read again; nothing else appears anywhere."""
    root, written, refused = tmp_path / "root", 0, 0
    with Tree(root) as tree:
        for number, row in enumerate(HOSTILE):
            if row.everywhere is None:
                tree.write(f"{number}/{row.path}" if len(row.path) < 1000 else row.path, b"%d" % number)
                written += 1
            else:
                with pytest.raises(ValueError, match="is no safe local path"):
                    tree.write(row.path, b"escaped")
                refused += 1
    assert [path.name for path in tmp_path.iterdir()] == ["root"]
    assert (written, refused) == (
        sum(row.everywhere is None for row in HOSTILE),
        sum(row.everywhere is not None for row in HOSTILE),
    )
    assert not list(root.rglob("*.part"))
    for number, row in enumerate(HOSTILE):
        if row.everywhere is None and len(row.path) < 1000:
            assert (root / str(number) / row.path).read_bytes() == b"%d" % number


# -- encoding ----------------------------------------------------------------------------------------------------------


def can_be_encoded(row: Row) -> bool:
    """What is too long or no text stays so."""
    bad = {"unicode", "long name", "long path"}
    return row.everywhere not in bad and row.windows not in bad and len(row.path) < 1000


@pytest.mark.parametrize("windows", [False, True], ids=["posix", "windows"])
def test_encoded_names_are_safe_and_give_the_name_back(windows: bool) -> None:
    made = dict[str, str]()
    for row in HOSTILE:
        if can_be_encoded(row):
            encoded = names.encode(row.path, windows=windows)
            assert names.decode(encoded) == row.path
            assert names.problem(encoded, windows=windows) is None, encoded
            assert made.setdefault(encoded, row.path) == row.path
    assert len(made) > 300


def test_random_names_are_encoded_reversibly_and_without_collisions(rng: random.Random) -> None:
    signs = "ab.%/\\:* 0123456789ABCDEFabcdef\x00\x1f\x7fé語\U0001f600"
    made = dict[str, str]()
    for _ in range(20000):
        path = "".join(rng.choices(signs, k=rng.randrange(8)))
        for windows in (False, True):
            encoded = names.encode(path, windows=windows)
            assert names.decode(encoded) == path, (path, encoded)
            assert names.problem(encoded, windows=windows) is None, (path, encoded)
            if windows:
                assert made.setdefault(encoded, path) == path


@pytest.mark.parametrize(
    ("path", "encoded"),
    [
        ("a:b.csv", "a%3Ab.csv"),
        ("a/../b", "a/%2E%2E/b"),
        ("/etc/passwd", "%/etc/passwd"),
        ("a//b", "a/%/b"),
        ("%", "%25"),
        ("50%", "50%"),
        ("a%3Ab", "a%253Ab"),
        ("NUL.txt", "%4EUL.txt"),
        ("end.", "end%2E"),
        ("a\\..\\b", "a%5C..%5Cb"),
        ("C:/x", "C%3A/x"),
        ("plain/name.csv", "plain/name.csv"),
    ],
)
def test_the_encoded_form(path: str, encoded: str) -> None:
    assert names.encode(path, windows=True) == encoded


def test_what_is_no_encoded_path_is_an_error() -> None:
    with pytest.raises(ValueError, match="'a/%FF' is no encoded path"):
        names.decode("a/%FF")


def test_local_names_encode_only_if_asked() -> None:
    as_is, encoded = names.local_names("error", windows=True), names.local_names("encode", windows=True)
    assert as_is("a:b")[0] == "a:b"
    assert "':'" in str(as_is("a:b")[1])
    assert encoded("a:b") == ("a%3Ab", None)
    assert "256 bytes" in str(encoded("a" * 256)[1])


# -- collisions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "fold", "found"),
    [
        (["a", "a/b"], False, [("a/b", "a")]),
        (["a", "a!", "a-b", "a.csv", "a/b"], False, [("a/b", "a")]),
        (["a", "a/b/c", "a/b/d"], False, [("a/b/c", "a"), ("a/b/d", "a")]),
        (["a/b", "a/b/c/d", "a/bc/d"], False, [("a/b/c/d", "a/b")]),
        (["a", "aa/b", "ab", "b/a", "b/aa/c"], False, []),
        (["A", "a"], False, []),
        (["A", "a"], True, [("a", "A")]),
        (["A/x", "a/y"], True, [("a/y", "A")]),
        (["A/x/y", "A/x/z", "A/X/y"], True, [("A/x/y", "A/X"), ("A/x/z", "A/X")]),
        (["x/A", "y/a"], True, []),
        (["README", "readme/a"], True, [("readme/a", "README")]),
        (["é", "e\u0301"], False, []),
        (["é", "e\u0301"], True, [("é", "e\u0301")]),
        (["É.csv", "e\u0301.csv"], True, [("É.csv", "e\u0301.csv")]),
        (["\u212a", "k"], True, [("\u212a", "k")]),
        (["straße", "STRASSE"], True, [("straße", "STRASSE")]),
        (["a/a", "a/A"], True, [("a/a", "a/A")]),
        (["a/a", "a/b", "b/a"], True, []),
    ],
)
def test_collisions(paths: list[str], fold: bool, found: list[tuple[str, str]]) -> None:
    assert [one[:2] for one in names.collisions(paths, fold=fold)] == found


def test_collisions_of_random_paths_are_those_of_a_simple_search(rng: random.Random) -> None:
    def key(path: str) -> str:
        return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())

    for _ in range(300):
        paths = {"/".join(rng.choices(["a", "A", "ab", "é", "e\u0301", "b!"], k=rng.randint(1, 4))) for _ in range(8)}
        plain = {path for path in paths if any(path.startswith(f"{other}/") for other in paths)}
        assert {one.path for one in names.collisions(paths, fold=False)} == plain
        prefixes = {"/".join(path.split("/")[:end]) for path in paths for end in range(1, path.count("/") + 2)}
        clash = bool(plain) or len({key(prefix) for prefix in prefixes}) < len(prefixes)
        assert bool(names.collisions(paths, fold=True)) == clash


def test_paths_out_of_order_are_an_error() -> None:
    finder = names.Collisions(fold=False)
    finder.add("b")
    with pytest.raises(ValueError, match="byte order, and 'a' came after 'b'"):
        finder.add("a")


def test_the_memory_for_collisions_does_not_grow_with_the_paths() -> None:
    finder = names.Collisions(fold=True)
    for number in range(5000):
        assert finder.add(f"{number:08}/a") is None
    assert len(finder._levels) == 2
    assert len(finder._files) <= 1


def test_names_that_a_file_system_takes_for_one_are_folded_to_one() -> None:
    assert names.fold("d/\u00c9t\u00e9") == names.fold("D/e\u0301te\u0301")
    assert names.fold("a") != names.fold("b")
