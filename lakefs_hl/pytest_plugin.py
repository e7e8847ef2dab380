"""pytest fixtures for tests of your own code: lakes in memory, and repositories on a lakeFS server.

pytest loads this module in every run where the package is installed, so it imports nothing until a fixture is used.
`-p no:lakefs_hl` disables it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from lakefs_hl import Branch, Client, Repository
    from lakefs_hl._testing.case import Case
    from lakefs_hl.filesystem import LakeFSFileSystem

    class MakeRepo(Protocol):
        """The type of the fixture `make_lakefs_repo`."""

        def __call__(self, files: Mapping[str, str | bytes] | None = None) -> Repository:
            """Create a repository."""


class LakeServer:
    """A lakeFS server that tests use: the value of the fixture `lakefs_server`. Its `repr` shows no secret.

    Attributes:
        url: Its address.
        access_key_id: Access key ID. None if the configuration has other credentials, such as a token.
        config_file: File of lakectl with the address and the keys. None for a server of `--lakefs-url`.
    """

    __slots__ = ("_secret", "access_key_id", "config_file", "url")

    def __init__(
        self,
        url: str,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        config_file: str | None = None,
    ) -> None:
        from lakefs_hl.spec.secret import hide

        self.url = url
        self.access_key_id = access_key_id
        self._secret = hide(secret_access_key)
        self.config_file = config_file

    @property
    def secret_access_key(self) -> str | None:
        """Secret of the access key. None if the configuration has other credentials."""
        from lakefs_hl.spec.secret import reveal

        return None if self._secret is None else reveal(self._secret)

    def client(self, **options: Any) -> Client:
        """Return a new client of the server.

        Args:
            options: Options of `lakefs_hl.Client`, such as `retries`.
        """
        import lakefs_hl

        return lakefs_hl.Client(self.url, self.access_key_id, self._secret, **options)

    def __repr__(self) -> str:
        return f"<LakeServer {self.url}>"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that name a server."""
    group = parser.getgroup("lakefs", "lakeFS")
    group.addoption(
        "--lakefs-url",
        metavar="URL",
        help="run tests that use lakefs_server on this server. Its keys come from LAKECTL_CREDENTIALS_ACCESS_KEY_ID "
        "and LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY, or from the file of lakectl (default: a new server with an "
        "embedded lake)",
    )
    group.addoption(
        "--lakefs-storage-namespace",
        metavar="PREFIX",
        help="beginning of the storage namespaces of new repositories, such as s3://bucket/tests (default: what the "
        "server proposes)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and check the URL."""
    config.addinivalue_line(
        "markers",
        "lakefs(files={path: content}, faults={...}): commit these files to the test's repository before the test, and "
        "break requests of lakefs_client",
    )
    if "@" in (config.getoption("--lakefs-url", default=None) or ""):
        msg = (
            "--lakefs-url: no credentials in the URL, because other users see the arguments of a process; set "
            "LAKECTL_CREDENTIALS_ACCESS_KEY_ID and LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY"
        )
        raise pytest.UsageError(msg)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Return the line that names the server."""
    url = config.getoption("--lakefs-url", default=None)
    return f"lakefs_server: {url}" if url else None


# ------------------------------------------------------------------------------------------------------ lakes in memory


@pytest.fixture
def lake(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Return a client of a new lake in memory, which is removed when the test ends."""
    import lakefs_hl

    if any("faults" in mark.kwargs for mark in request.node.iter_markers("lakefs")):
        pytest.fail("the mark lakefs(faults=...) breaks requests of lakefs_client; lake has no server", pytrace=False)
    client = lakefs_hl.Client("mem://")
    yield client
    client.close()


@pytest.fixture
def lake_repo(lake: Client, request: pytest.FixtureRequest) -> Repository:
    """Return a repository named `example` in the test's lake. It is empty, or has the files of the mark `lakefs`."""
    import lakefs_hl
    from lakefs_hl._testing import case

    repository = lakefs_hl.repository("example", client=lake).create()
    case.commit_files(repository, case.marked_files(request.node))
    return repository


@pytest.fixture
def lake_branch(lake_repo: Repository) -> Branch:
    """Return the branch `main` of the test's repository."""
    return lake_repo.branch("main")


# ---------------------------------------------------------------------------------------------------------- on a server


@pytest.fixture(scope="session")
def lakefs_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LakeServer]:
    """Return the server of `--lakefs-url`. By default, a server with a new embedded lake, one for each worker."""
    from lakefs_hl._testing import servers

    url = request.config.getoption("--lakefs-url", default=None)
    if url:
        yield servers.find_server(url)
        return
    with servers.serve(tmp_path_factory.mktemp("lakefs")) as server:
        yield server


@pytest.fixture(scope="session")
def lakefs_client_options() -> Mapping[str, Any]:
    """Return options of the clients of `lakefs_client`: none. Override it in your `conftest.py`."""
    return {}


@pytest.fixture
def _lakefs_case(
    request: pytest.FixtureRequest, lakefs_server: LakeServer, lakefs_client_options: Mapping[str, Any]
) -> Iterator[Case]:
    from lakefs_hl._testing.case import Case

    prefix = request.config.getoption("--lakefs-storage-namespace", default=None)
    with Case(request.node, lakefs_server, lakefs_client_options, prefix) as case:
        yield case


@pytest.fixture
def lakefs_client(_lakefs_case: Case) -> Client:
    """Return a client of `lakefs_server`, which is closed when the test ends."""
    return _lakefs_case.client


@pytest.fixture
def make_lakefs_repo(_lakefs_case: Case) -> MakeRepo:
    """Return a function that creates repositories, which are deleted when the test ends.

    Each has a name of its own, which contains the name of the test, and the branch `main`. With `files=`, a mapping of
    paths to contents, the first commit has these.
    """
    return _lakefs_case.make


@pytest.fixture
def lakefs_repo(_lakefs_case: Case) -> Repository:
    """Return a new repository, with the files of the mark `lakefs`. It is deleted when the test ends."""
    return _lakefs_case.repository()


@pytest.fixture
def lakefs_branch(lakefs_repo: Repository) -> Branch:
    """Return the branch `main` of `lakefs_repo`."""
    return lakefs_repo.branch("main")


@pytest.fixture
def lakefs_fs(lakefs_client: Client) -> LakeFSFileSystem:
    """Return the file system of fsspec on `lakefs_client`."""
    from lakefs_hl.filesystem import LakeFSFileSystem

    return LakeFSFileSystem(client=lakefs_client, skip_instance_cache=True)


@pytest.fixture
def lakefs_env(_lakefs_case: Case, monkeypatch: pytest.MonkeyPatch) -> Iterator[LakeServer]:
    """Let code that reads the configuration use the server, in this process and in others: set the variables LAKECTL_*.

    The default client of the package is a new one during the test.
    """
    _lakefs_case.set_environment(monkeypatch)
    yield _lakefs_case.server
    _lakefs_case.close_default()
