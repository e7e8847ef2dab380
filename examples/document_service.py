"""A document service: documents for each user, links to share them, backups, and old files that are deleted.

    python examples/document_service.py                          # starts a server of its own, on a temporary lake
    python examples/document_service.py --lake http://host:8000  # lakeFS, or `lakefs-hl serve --presign`

The class is what a service needs. `main` shows it at work, with a stranger who has nothing but a link.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import lakefs_hl as lakefs
from lakefs_hl.exceptions import LakeFSException

RETENTION = [
    {
        "id": "delete-temp-files",
        "status": "Enabled",
        "expiration": {"days": 7},
        "filter": {"prefix": "temp/"},
    },
    {
        "id": "archive-old-docs",
        "status": "Enabled",
        "expiration": {"days": 365},
        "filter": {"prefix": "archive/"},
    },
]


class DocumentService:
    """Documents of users, in one repository.

    Args:
        client: Connection to the lake.
        repository: Name of the repository. On the server it begins with `doc-service-`.
    """

    def __init__(self, client: lakefs.Client, repository: str = "documents") -> None:
        self.storage = client.scoped("doc-service")
        self.repository = lakefs.repository(repository, client=self.storage)
        with self.storage:
            self.repository.get_or_create()
            self.branch = self.repository.branch(self.repository.properties.default_branch)

    def upload_document(
        self, user_id: str, name: str, content: bytes, metadata: Mapping[str, str] | None = None
    ) -> lakefs.ObjectInfo:
        """Store a document. The commit makes it a version of its own, which `history` lists."""
        with self.storage:
            return self.branch.upload(
                content,
                f"users/{user_id}/docs/{name}",
                metadata=metadata,
                tags={"user_id": user_id, "type": "document"},
                commit_message=f"{name} of {user_id}",
            )

    def user_documents(self, user_id: str) -> list[lakefs.ObjectInfo]:
        """Return all documents of a user."""
        with self.storage:
            found = self.branch.list_objects(prefix=f"users/{user_id}/docs/", recursive=True)
            return [row for row in found if isinstance(row, lakefs.ObjectInfo)]

    def share_document(self, user_id: str, name: str, expiry_hours: int = 24) -> str:
        """Return a link to a document, which anyone can use until it expires."""
        with self.storage:
            return self.branch.presign(f"users/{user_id}/docs/{name}", expiry_hours * 3600).url

    def request_document(self, user_id: str, name: str, expiry_minutes: int = 5) -> str:
        """Return a link with which a user uploads a document from a browser, past this service."""
        with self.storage:
            path = f"users/{user_id}/docs/{name}"
            return self.branch.presign(path, expiry_minutes * 60, method="PUT").url

    def versions(self, user_id: str, name: str) -> list[lakefs.ObjectVersion]:
        """Return the versions of a document, newest first."""
        with self.storage:
            return list(self.branch.history(f"users/{user_id}/docs/{name}"))

    def restore_document(self, user_id: str, name: str, version: lakefs.ObjectVersion) -> None:
        """Bring back a version of a document."""
        with self.storage:
            self.branch.restore(f"users/{user_id}/docs/{name}", version)
            self.branch.commit_changes(f"{name} of {user_id} as of {version.commit.id[:12]}")

    def backup(self, user_id: str) -> lakefs.Tag:
        """Note a backup, and create a snapshot of all that is there, uncommitted uploads included."""
        with self.storage:
            self.repository.set_metadata({"last_backup": str(datetime.now(UTC)), "backup_user": user_id})
            return self.repository.create_snapshot()

    def set_retention_policy(self) -> None:
        """Store what is deleted when. `lakefs-hl lifecycle run` applies it, from a schedule."""
        with self.storage:
            self.repository.set_lifecycle(RETENTION)

    def apply_retention_policy(self, now: datetime | None = None, *, dry_run: bool = False) -> lakefs.ExpiryReport:
        """Delete what has expired."""
        with self.storage:
            return self.repository.apply_lifecycle(dry_run=dry_run, now=now)


def show(service: DocumentService) -> None:
    """Use the service."""
    service.upload_document("alice", "report.txt", b"first draft", metadata={"author": "Alice"})
    service.upload_document("alice", "report.txt", b"final")
    service.upload_document("alice", "notes.txt", b"buy milk")
    service.upload_document("bob", "cv.txt", b"curriculum vitae")
    for document in service.user_documents("alice"):
        print(f"{document['key']} - {document['size']} bytes - {document.tags}")
    print(f"a stranger reads: {open_link(service.share_document('alice', 'report.txt')).decode()}")
    open_link(service.request_document("bob", "photo.txt"), b"cheese")
    backup = service.backup("bob")
    print(f"the backup has the upload: {backup.exists('users/bob/docs/photo.txt')}")
    service.branch.commit_changes("uploads by link")
    newest, oldest = service.versions("alice", "report.txt")
    service.restore_document("alice", "report.txt", oldest)
    print(f"{newest.commit.message}: back to {service.branch.download('users/alice/docs/report.txt').decode()!r}")
    service.branch.upload(b"scratch", "temp/scratch", commit_message="scratch")
    service.set_retention_policy()
    in_a_year = datetime(datetime.now(UTC).year + 2, 1, 1, tzinfo=UTC)
    report = service.apply_retention_policy(now=in_a_year)
    print(f"deleted in a year: {report.planned}")
    service.repository.restore_snapshot(backup)
    print(f"restored: {[document.name for document in service.user_documents('alice')]}")


def open_link(url: str, content: bytes | None = None) -> bytes:
    """Read or write a document as a stranger does: without the package, and without credentials."""
    request = urllib.request.Request(url, content, method="GET" if content is None else "PUT")  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310 - the links of this service are of HTTP
        read: bytes = response.read()
        return read


@contextmanager
def connect(lake: str | None) -> Iterator[lakefs.Client]:
    """Connect to a server; without one, start one on a temporary lake."""
    if lake is not None:
        with lakefs.Client(lake) as client:
            yield client
        return
    with tempfile.TemporaryDirectory(prefix="lakefs-hl-documents-") as scratch:
        folder = Path(scratch) / "lake"
        command = [sys.executable, "-m", "lakefs_hl", "serve", str(folder), "--port", "0", "--presign"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                if server.stdout is None or not server.stdout.readline().startswith("Serving "):
                    raise SystemExit("the server did not start")
                # the directory of the lake has a configuration of lakectl, with the address and the keys
                found = _settings(folder / "lakectl.yaml")
                endpoint, key, secret = found["endpoint_url"], found["access_key_id"], found["secret_access_key"]
                with lakefs.Client(endpoint, key, secret) as client:
                    yield client
            finally:
                server.terminate()


def _settings(file: Path) -> dict[str, str]:
    lines = (line.partition(":") for line in file.read_text(encoding="utf-8").splitlines())
    return {name.strip(): value.strip().strip("\"'") for name, _, value in lines}


def main() -> None:
    """Run all steps, in a new repository."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--lake", metavar="URL", help="http(s)://host[:port]; keys from the environment or a file")
    chosen = arguments.parse_args()
    try:
        with connect(chosen.lake) as client:
            service = DocumentService(client, f"documents-{datetime.now(UTC):%Y%m%d-%H%M%S}")
            try:
                show(service)
            finally:
                service.repository.delete(force=True)
    except LakeFSException as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


if __name__ == "__main__":
    main()
