"""What each kind of argument is converted to, and how others are refused."""

from __future__ import annotations

import enum
import pathlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl._files.bodies import warn_of_file_name
from lakefs_hl._handles import paths
from lakefs_hl.aio.default import of
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.spec import arguments


class Key(str, enum.Enum):  # noqa: UP042 - whose str() is not its value
    PATH = "keys/a"


class Kind(enum.StrEnum):
    PATH = "keys/a"


@pytest.mark.parametrize("convert", [arguments.text, arguments.optional_text, arguments.name])
@pytest.mark.parametrize("value", [Key.PATH, Kind.PATH, "keys/a"])
def test_a_text_is_its_characters_and_nothing_else(convert: Callable[[object, str], Any], value: object) -> None:
    found = convert(value, "x")
    assert type(found) is str
    assert found == "keys/a"
    assert arguments.texts(value, "x") == ("keys/a",)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: arguments.text(b"main", "x"), TypeError, "x must be a string, not bytes: b'main'"),
        (lambda: arguments.text(None, "x", secret=True), TypeError, "x must be a string, not NoneType$"),
        (lambda: arguments.text(pathlib.Path("a"), "x"), TypeError, r"not PosixPath: .*; a local path is not a name"),
        (lambda: arguments.text(lakefs_hl.Branch("r", "main"), "x"), TypeError, r"not Branch: .*; give its \.id"),
        (lambda: arguments.text(lakefs_hl.ObjectInfo("r", "m", "a"), "x"), TypeError, r"give its \.path"),
        (lambda: arguments.name("", "x"), ValueError, "x must not be empty"),
        (
            lambda: arguments.text("a\udcff", "x"),
            ValueError,
            r"x must be text that UTF-8 can encode, .* at 1: 'a\\udcff'",
        ),
        (lambda: arguments.name("\udcff", "x"), ValueError, "x must be text that UTF-8 can encode"),
        (lambda: arguments.optional_text("\udcff", "x"), ValueError, "x must be text that UTF-8 can encode"),
        (
            lambda: arguments.path("\udcff", lakefs_hl.Branch("r", "b")),
            ValueError,
            "path must be text that UTF-8 can encode",
        ),
        (
            lambda: arguments.metadata({"k": "\udcff"}),
            ValueError,
            r"metadata\['k'\] must be text that UTF-8 can encode",
        ),
        (lambda: arguments.metadata({"\udcff": "v"}), ValueError, "metadata must be text that UTF-8 can encode"),
        (lambda: arguments.texts(5, "x"), TypeError, "x must be a string or an iterable of strings, not int: 5"),
        (lambda: arguments.texts(["a", 5], "x"), TypeError, "x must be a string, not int: 5"),
        (lambda: arguments.choice("ours", "x", ("a", "b", "c")), ValueError, "x must be 'a', 'b' or 'c', not 'ours'"),
        (lambda: arguments.integer(2.0, "x"), TypeError, "x must be an integer, not float: 2.0"),
        (lambda: arguments.integer(-1, "x", least=0), ValueError, "x must be at least 0, not -1"),
        (lambda: arguments.integer(1 << 64, "x"), ValueError, "x must be an integer of 64 bits"),
        (lambda: arguments.amount("data/"), TypeError, "not 'data/'; a prefix is given as prefix='data/'"),
        (lambda: arguments.amount(1.5), TypeError, "max_amount must be None or an integer, not float: 1.5"),
        (lambda: arguments.amount(b"x"), TypeError, "max_amount must be None or an integer, not bytes: b'x'"),
        (lambda: arguments.amount(-1), ValueError, "max_amount must be None or at least 0, not -1"),
        (lambda: arguments.number("30", "timeout"), TypeError, "timeout must be a number, not str: '30'"),
        (lambda: arguments.number(1j, "x"), TypeError, "x must be a number, not complex"),
        (lambda: arguments.number([1], "x"), TypeError, "x must be a number, not list"),
        (lambda: arguments.seconds("1", "x"), TypeError, "x must be a timedelta or a number of seconds, not str"),
        (lambda: arguments.seconds(float("nan"), "x"), ValueError, "x must not be negative: nan"),
        (lambda: arguments.flag("false", "x"), TypeError, "x must be True or False, not str: 'false'"),
        (lambda: arguments.flag(None, "x"), TypeError, "x must be True or False, not NoneType"),
        (
            lambda: arguments.metadata({"ok": "v", "size": 3}),
            TypeError,
            r"metadata\['size'\] must be a string, not int: 3",
        ),
        (lambda: arguments.metadata({3: "v"}), TypeError, "metadata: keys must be strings, and 3 is an int"),
        (lambda: arguments.metadata([("k", "v")]), TypeError, "metadata must be a mapping of strings to strings"),
        (lambda: arguments.moment("soon", "since"), ValueError, "since must be a time such as '2026-01-31'"),
        (lambda: arguments.moment(5, "since"), TypeError, "since must be an aware datetime, a date or ISO 8601 text"),
        (lambda: arguments.moment(datetime(2024, 1, 1), "since"), ValueError, "since must be an aware datetime"),
        (lambda: arguments.unix_seconds(datetime(2024, 1, 1), "date"), ValueError, "date must be an aware datetime"),
        (lambda: arguments.unix_seconds(pd.NaT, "date"), ValueError, "date must be an aware datetime"),
    ],
)
def test_a_refusal_names_argument_value_and_what_to_do(
    make: Callable[[], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        make()


def test_a_secret_is_not_repeated() -> None:
    for option, value in (("proxy", b"http://me:hunter2@p"), ("token_request_headers", {"x": b"hunter2"})):
        with pytest.raises(TypeError, match=option) as caught:
            ClientOptions(**{option: value})  # type: ignore[arg-type]
        assert "hunter2" not in str(caught.value)
    with pytest.raises(ValueError, match="password must be text that UTF-8 can encode") as unencodable:
        lakefs_hl.Client("http://127.0.0.1:1", "key", "hunter2\udcff")
    assert "hunter2" not in str(unencodable.value)
    for option in ("username", "password", "access_token", "endpoint", "jwt_token"):
        with pytest.raises(TypeError, match=option) as caught:
            lakefs_hl.Client(**{option: b"hunter2"})  # type: ignore[arg-type]
        assert "hunter2" not in str(caught.value)


def test_a_certificates_file_may_be_a_path() -> None:
    assert ClientOptions(ca_cert=pathlib.Path("/a/b"), timeout=None).given() == {"ca_cert": "/a/b"}


# ----------------------------------------------------------------------------------------------------------------- time


EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


@pytest.mark.parametrize(
    ("value", "query"),
    [
        ("2020-01-01", "2020-01-01T00:00:00.000000Z"),
        ("2020-01-01T12:00:00", "2020-01-01T12:00:00.000000Z"),
        ("2020-01-01T12:00:00+02:00", "2020-01-01T10:00:00.000000Z"),
        (date(2020, 1, 1), "2020-01-01T00:00:00.000000Z"),
        (datetime(1969, 12, 31, 23, 59, 59, 500_000, UTC), "1969-12-31T23:59:59.500000Z"),
        (datetime(1, 1, 1, tzinfo=EAST), "0001-01-01T00:00:00.000000Z"),
        (datetime.max.replace(tzinfo=WEST), "9999-12-31T23:59:59.999999Z"),
        (pd.Timestamp("2020-01-01T00:00:00.123456789Z"), "2020-01-01T00:00:00.123456Z"),
    ],
)
def test_a_moment_of_a_query(value: object, query: str) -> None:
    assert arguments.moment(value, "since") == query


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (datetime.fromtimestamp(5.5, UTC), 5),
        (datetime(1969, 12, 31, 23, 59, 59, 500_000, UTC), -1),
        (datetime(1969, 12, 31, 23, 59, 58, 999_999, UTC), -2),
        (datetime.max.replace(tzinfo=UTC), 253_402_300_799),
        (datetime.min.replace(tzinfo=UTC), -62_135_596_800),
        ("1970-01-02", 86_400),
    ],
)
def test_a_moment_of_a_record_is_rounded_down(value: object, seconds: int | None) -> None:
    assert arguments.unix_seconds(value, "date") == seconds


@given(st.datetimes(timezones=st.timezones()))
def test_a_moment_comes_back_to_the_second(at: datetime) -> None:
    try:
        found = arguments.unix_seconds(at, "date")
    except ValueError as exc:
        assert "date must lie in the years 1 to 9999 of UTC" in str(exc)  # noqa: PT017 - either way is right
        return
    assert found is not None
    assert timedelta() <= at - arguments.from_unix_seconds(found) < timedelta(seconds=1)


@pytest.mark.parametrize("value", [datetime.min.replace(tzinfo=EAST), datetime.max.replace(tzinfo=WEST)])
def test_a_moment_that_utc_does_not_hold_is_refused_in_a_record(value: datetime) -> None:
    with pytest.raises(ValueError, match="date must lie in the years 1 to 9999 of UTC"):
        arguments.unix_seconds(value, "date")


@pytest.mark.parametrize(
    ("seconds", "at"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (253_402_300_800, datetime.max.replace(tzinfo=UTC)),
        (1 << 62, datetime.max.replace(tzinfo=UTC)),
        (-(1 << 62), datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_a_moment_beyond_the_years_of_python_is_the_nearest(seconds: int, at: datetime) -> None:
    assert arguments.from_unix_seconds(seconds) == at


# ----------------------------------------------------------------------------------------------------------------- URIs


def test_a_uri_is_taken_where_its_id_is() -> None:
    repository = lakefs_hl.repository("lakefs://example")
    branch = repository.branch("lakefs://example/dev/")
    assert (repository, branch) == (lakefs_hl.Repository("example"), lakefs_hl.Branch("example", "dev"))
    assert lakefs_hl.repository(repository.uri) == repository
    for make in (repository.branch, repository.tag, repository.ref, repository.commit):
        assert make(branch.uri).id == "dev"
    info = lakefs_hl.ObjectInfo("example", "dev", "a/b")
    assert lakefs_hl.ObjectInfo("example", "dev", info.uri) == info
    assert arguments.path(info.uri, branch) == "a/b"
    assert paths.paths([info.uri, "c"], branch, "objects") == ("a/b", "c")
    assert branch.import_from("local:///a/", branch.uri + "b/")._locations[0].destination == "b/"
    with pytest.raises(ValueError, match=r"destination: .* is in another repository"):
        branch.import_from("local:///a/", "lakefs://other/dev/b/")
    assert arguments.path(Key.PATH, branch) == "keys/a"
    assert arguments.path("lakefs:/a", branch) == "lakefs:/a"


def test_a_listing_starts_after_a_uri(lake: lakefs_hl.Client) -> None:
    one, two = (lakefs_hl.repository(name, client=lake).create() for name in ("one", "two"))
    for name in ("a", "b"):
        one.branch(name).create("main")
        one.tag(f"tag-{name}").create("main")
        one.branch("main").upload(b"", name)
    assert list(lakefs_hl.repositories(after=one.uri, client=lake)) == [two]
    assert [branch.id for branch in one.list_branches(after=one.branch("a").uri)] == ["b", "main"]
    assert [tag.id for tag in one.list_tags(after=one.tag("tag-a").uri)] == ["tag-b"]
    info, other = one.branch("main").list_objects()
    assert [item.path for item in one.branch("main").list_objects(after=info.uri)] == [other.path]
    first = one.branch("main").commit_changes("m")
    assert [commit.message for commit in one.branch("main").log(after=first.uri)] == ["Repository created"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda r: lakefs_hl.repository("lakefs://example/main/"),
            "repository_id must be a repository's name or its URI",
        ),
        (lambda r: lakefs_hl.repository("lakefs://"), "repository_id must be a repository's name or its URI"),
        (
            lambda r: r.branch("lakefs://example"),
            "branch_id must be the name or the URI of a reference, .* a repository",
        ),
        (lambda r: r.branch("lakefs://example/main/a"), "branch_id must be the name or the URI .* that of an object"),
        (lambda r: r.tag("lakefs://other/main/"), "tag_id: 'lakefs://other/main/' is in another repository"),
        (lambda r: r.branch("main").stat("lakefs://other/main/a"), "path: .* is in another repository"),
        (lambda r: r.branch("main").stat("lakefs://example/dev/a"), "path: .* at reference 'dev', .* made on 'main'"),
        (lambda r: r.list_branches(after="lakefs://other/main/"), "after: .* is in another repository"),
        (lambda r: lakefs_hl.ObjectInfo("example", "main", "lakefs://example/main/"), "path must not be empty"),
    ],
)
def test_a_uri_of_something_else_is_refused(
    lake: lakefs_hl.Client, make: Callable[[lakefs_hl.Repository], object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        make(lakefs_hl.Repository("example", lake))


# -------------------------------------------------------------------------------------------------------------- clients


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (
            lakefs_hl,
            r"client must be a lakefs_hl\.Client, not a lakefs_hl\.aio\.Client; give it one, or use lakefs_hl\.aio",
        ),
        (aio, r"client must be a lakefs_hl\.aio\.Client, not a lakefs_hl\.Client; give it one, or use lakefs_hl with"),
    ],
)
def test_the_client_of_the_other_colour_is_refused_at_once(lake: lakefs_hl.Client, module: Any, words: str) -> None:
    other = of(lake) if module is lakefs_hl else lake
    record = lakefs_hl.repository("example", client=lake).create().branch("main").get_commit()._record
    calls: list[Callable[[], object]] = [
        lambda: module.repository("example", client=other),
        lambda: module.repositories(client=other),
        lambda: module.Repository("example", other),
        lambda: module.Branch("example", "main", other),
        lambda: module.Commit("example", record, other),
        lambda: module.ObjectInfo("example", "main", "a", other),
        lambda: module.CommonPrefix("example", "main", "a/", other),
        lambda: module.ImportManager("example", "main", other),
        lambda: module.BranchTransaction("example", "main", other),
        lambda: module.ServerConfiguration(other),
        lambda: module.ServerStorageConfiguration(other),
    ]
    for make in calls:
        with pytest.raises(TypeError, match=words):
            make()


def test_something_else_as_a_client_is_not_printed() -> None:
    with pytest.raises(TypeError, match=r"^client must be a lakefs_hl\.Client or None, not str$"):
        lakefs_hl.repository("example", client="hunter2")  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------------------------- files


def test_a_text_that_names_a_file_warns(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pathlib.Path("local.csv").write_text("a,b\n", encoding="utf-8")
    pathlib.Path("directory").mkdir()
    for data in (
        b"local.csv",
        "other.csv",
        "",
        "local.csv\n",
        "directory",
        "x" * 5000,
        "nul\0",
        pathlib.Path("local.csv"),
    ):
        warn_of_file_name(data)
    with pytest.warns(UserWarning, match=r"'local\.csv' is uploaded.*pathlib\.Path\('local\.csv'\)"):
        warn_of_file_name("local.csv")
    deep = pathlib.Path("d" * 100, "d" * 100, "d" * 100, "local.csv")
    deep.parent.mkdir(parents=True)
    deep.touch()
    with pytest.warns(UserWarning, match="is uploaded, and there is a file of that name"):
        warn_of_file_name(str(deep))


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("lakefs://example/main/a/b", ("example", "main", "a/b")),
        ("lakefs://example/main/a/", ("example", "main", "a/")),
        ("lakefs://example/main/", ("example", "main", "")),
        ("lakefs://example/main", ("example", "main", "")),
        ("lakefs://example/main//a", ("example", "main", "/a")),
    ],
)
def test_the_uri_of_something_at_a_reference(uri: str, parts: tuple[str, str, str]) -> None:
    assert arguments.object_uri(uri, "uri") == parts


@pytest.mark.parametrize("uri", ["a/b", "lakefs://example", "lakefs:///main/a", "lakefs://example//a", "s3://b/k"])
def test_what_is_not_at_a_reference(uri: str) -> None:
    with pytest.raises(ValueError, match="uri must be a URI such as lakefs://repository/reference/path, not"):
        arguments.object_uri(uri, "uri")
