"""The records of lakeFS's API, as JSON has them.

Rules of the room: a field that lakeFS always writes has no default, or a factory (it is written even if empty, and old
servers may omit it). A field that lakeFS may omit is None by default and not written. Unknown fields are ignored, and
values of an enumeration are strings. Times are in Unix seconds, sizes in bytes.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, field

from lakefs_hl import _html

T = TypeVar("T")
#: Numbers of requests. A server refuses what is outside of these bounds; what a client is sent is not checked.
Size: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
#: Unix seconds from the year 1 to the year 9999, which HTTP headers can express.
Moment: TypeAlias = Annotated[int, Meta(ge=-62_135_596_800, le=253_402_300_799)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_URLS: Final = ("physical_address", "presigned_url", "url")


def _list() -> list[Any]:  # msgspec writes the value of this factory even if empty; that of `list` it would omit
    return []


def _dict() -> dict[str, Any]:
    return {}


class Record(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Base of all records."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, records in them as dictionaries too. Times are Unix seconds, as in the record."""
        return {name: _plain(getattr(self, name)) for name in self.__struct_fields__}

    def _repr_html_(self) -> str:
        return _html.record(self)


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _without_query(record: Record) -> str:
    """Return the repr of a record without the queries of URLs, which may be signatures."""
    fields = ((name, getattr(record, name)) for name in record.__struct_fields__)
    shown = ((name, value.partition("?")[0] if name in _URLS and value else value) for name, value in fields)
    return f"{type(record).__name__}({', '.join(f'{name}={value!r}' for name, value in shown)})"


class Error(Record, frozen=True):
    """Body of an error response."""

    message: str


# -- paging -----------------------------------------------------------------------------------------------------------


class Pagination(Record, frozen=True):
    """Position in a listing. `next_offset` is "" at its end."""

    has_more: bool
    next_offset: str = field(default_factory=str)
    results: int = field(default_factory=int)
    max_per_page: int = field(default_factory=int)


# -- repositories -----------------------------------------------------------------------------------------------------


class Repository(Record, frozen=True):
    """A repository."""

    id: str
    creation_date: int
    default_branch: str
    storage_namespace: str
    storage_id: str = field(default_factory=str)
    read_only: bool | None = None


class RepositoryPage(Record, frozen=True):
    """One page of repositories."""

    pagination: Pagination
    results: list[Repository]


class RepositoryCreation(Record, frozen=True):
    """A repository to create."""

    name: str
    storage_namespace: str
    default_branch: str | None = None
    storage_id: str | None = None
    sample_data: bool | None = None
    read_only: bool | None = None


class RepositoryMetadataSet(Record, frozen=True):
    """Metadata keys to set."""

    metadata: dict[str, str]


class RepositoryMetadataKeys(Record, frozen=True):
    """Metadata keys to delete."""

    keys: list[str]


class GCBranchRule(Record, frozen=True):
    """Retention of one branch's history in days."""

    branch_id: str
    retention_days: Count


class GCRules(Record, frozen=True):
    """Retention of history in days."""

    default_retention_days: Count
    branches: list[GCBranchRule] | None


class BranchProtectionRule(Record, frozen=True):
    """A pattern of branch names that only merges can change."""

    pattern: str


# -- branches, tags, commits ------------------------------------------------------------------------------------------


class Ref(Record, frozen=True):
    """A branch or tag and the commit it points to."""

    id: str
    commit_id: str


class RefPage(Record, frozen=True):
    """One page of branches or tags."""

    pagination: Pagination
    results: list[Ref]


class BranchCreation(Record, frozen=True):
    """A branch to create."""

    name: str
    source: str
    force: bool | None = None
    hidden: bool | None = None


class TagCreation(Record, frozen=True):
    """A tag to create."""

    id: str
    ref: str
    force: bool | None = None


class Commit(Record, frozen=True):
    """A commit."""

    id: str
    parents: list[str] = field(default_factory=_list)
    committer: str = field(default_factory=str)
    message: str = field(default_factory=str)
    creation_date: int = field(default_factory=int)
    meta_range_id: str = field(default_factory=str)
    metadata: dict[str, str] = field(default_factory=_dict)
    generation: int | None = None
    version: int | None = None


class CommitPage(Record, frozen=True):
    """One page of a log."""

    pagination: Pagination
    results: list[Commit]


class CommitCreation(Record, frozen=True):
    """A commit to create. `date` is in Unix seconds."""

    message: str
    metadata: dict[str, str] | None = None
    date: int | None = None
    allow_empty: bool | None = None
    force: bool | None = None


class CommitOverrides(Record, frozen=True):
    """Message and metadata to use instead of the original commit's."""

    message: str | None = None
    metadata: dict[str, str] | None = None


class Reset(Record, frozen=True):
    """Uncommitted changes to discard: `type` is "reset", "common_prefix" or "object"."""

    type: str
    path: str | None = None
    force: bool | None = None


class Revert(Record, frozen=True):
    """A commit to revert. `parent_number` counts from 1; 0 is for a commit that is not a merge."""

    ref: str
    parent_number: Count
    commit_overrides: CommitOverrides | None = None
    force: bool | None = None
    allow_empty: bool | None = None


class CherryPick(Record, frozen=True):
    """A commit to cherry-pick."""

    ref: str
    parent_number: Count | None = None
    commit_overrides: CommitOverrides | None = None
    force: bool | None = None


class Merge(Record, frozen=True):
    """Options of a merge."""

    message: str | None = None
    metadata: dict[str, str] | None = None
    strategy: str | None = None
    force: bool | None = None
    allow_empty: bool | None = None
    squash_merge: bool | None = None


class MergeResult(Record, frozen=True):
    """ID of the merge commit; "" after a conflict."""

    reference: str


class MergeBase(Record, frozen=True):
    """The two heads of a merge, and their merge base."""

    source_commit_id: str
    destination_commit_id: str
    base_commit_id: str


class RightStats(Record, frozen=True):
    """The right side of a difference."""

    checksum: str
    mtime: int
    content_type: str = field(default_factory=str)
    metadata: dict[str, str] | None = None


class Diff(Record, frozen=True):
    """One difference. `type` is added, removed, changed, conflict or prefix_changed."""

    type: str
    path: str
    path_type: str
    size_bytes: int | None = None
    right: RightStats | None = None


class DiffPage(Record, frozen=True):
    """One page of differences."""

    pagination: Pagination
    results: list[Diff]


# -- objects ----------------------------------------------------------------------------------------------------------


class ObjectStats(Record, frozen=True):
    """Record of one object. With `path_type` "common_prefix" it has only a path."""

    path: str
    path_type: Literal["object", "common_prefix"]  # the decoder makes no string of its own for each row
    physical_address: str = field(default_factory=str)
    checksum: str = field(default_factory=str)
    mtime: int = field(default_factory=int)
    size_bytes: int | None = None
    content_type: str | None = None
    metadata: dict[str, str] | None = None
    physical_address_expiry: int | None = None

    def __repr__(self) -> str:
        return _without_query(self)


class ObjectPage(Record, frozen=True):
    """One page of a listing."""

    pagination: Pagination
    results: list[ObjectStats]


class PathList(Record, frozen=True):
    """Paths to act on."""

    paths: list[str]


class ObjectError(Record, frozen=True):
    """Error of one object of a bulk call."""

    status_code: int
    message: str
    path: str | None = None


class ObjectErrors(Record, frozen=True):
    """Errors of a bulk call."""

    errors: list[ObjectError]


class ObjectCopy(Record, frozen=True):
    """Source of a copy."""

    src_path: str
    src_ref: str | None = None
    force: bool | None = None
    shallow: bool | None = None


class ObjectStage(Record, frozen=True):
    """An object to stage by its physical address."""

    physical_address: str
    checksum: str
    size_bytes: Size
    mtime: Moment | None = None
    metadata: dict[str, str] | None = None
    content_type: str | None = None
    force: bool | None = None


class UserMetadata(Record, frozen=True):
    """The complete user metadata of an object."""

    set: dict[str, str]


class UnderlyingProperties(Record, frozen=True):
    """Properties of an object in its store."""

    storage_class: str | None = None


class StagingLocation(Record, frozen=True):
    """Where to write data before it is linked."""

    physical_address: str | None = None
    presigned_url: str | None = None
    presigned_url_expiry: int | None = None

    def __repr__(self) -> str:
        return _without_query(self)


class Link(Record, frozen=True):
    """A link to an object, of our own server. The URL is a secret until it expires."""

    url: str
    expires: int

    def __repr__(self) -> str:
        return _without_query(self)


class Received(Record, frozen=True):
    """What was uploaded to an address, of our own server."""

    checksum: str
    size_bytes: int


class StagingLink(Record, frozen=True):
    """Data to link to a path."""

    staging: StagingLocation
    checksum: str
    size_bytes: Size
    user_metadata: dict[str, str] | None = None
    content_type: str | None = None
    mtime: Moment | None = None
    force: bool | None = None


# -- multipart uploads ------------------------------------------------------------------------------------------------


class MultipartUpload(Record, frozen=True):
    """A multipart upload that was begun. The URLs are secrets until they expire."""

    upload_id: str
    physical_address: str
    presigned_urls: list[str] | None = None

    def __repr__(self) -> str:
        return f"MultipartUpload(upload_id={self.upload_id!r}, physical_address={self.physical_address!r})"


class MultipartAddress(Record, frozen=True):
    """Where the object of a multipart upload will be: what a part is put to, or what is aborted."""

    physical_address: str


class PartURL(Record, frozen=True):
    """Where to write a part. The URL is a secret until it expires."""

    presigned_url: str

    def __repr__(self) -> str:
        return _without_query(self)


class UploadedPart(Record, frozen=True):
    """A part that the store has."""

    part_number: int
    etag: str


class MultipartCompletion(Record, frozen=True):
    """The parts of an object, in their order, and what to record of it."""

    physical_address: str
    parts: list[UploadedPart]
    user_metadata: dict[str, str] | None = None
    content_type: str | None = None


# -- imports ----------------------------------------------------------------------------------------------------------


class ImportLocation(Record, frozen=True):
    """One source: `type` is "common_prefix" or "object"."""

    type: str
    path: str
    destination: str


class ImportCreation(Record, frozen=True):
    """An import to start."""

    paths: list[ImportLocation]
    commit: CommitCreation
    force: bool | None = None


class ImportStarted(Record, frozen=True):
    """ID of a started import."""

    id: str


class ImportStatus(Record, frozen=True):
    """Progress of an import. A failed one has `error` and is never completed."""

    completed: bool
    update_time: str
    ingested_objects: int | None = None
    metarange_id: str | None = None
    commit: Commit | None = None
    error: Error | None = None


# -- pull requests and action runs ------------------------------------------------------------------------------------


class PullRequest(Record, frozen=True):
    """A request to merge one branch into another; dates are RFC 3339 text.

    Attributes:
        id: 20 characters; a newer pull request has a smaller one.
        title: The title.
        status: "open", "closed" or "merged".
        author: Name of the user who created it.
        creation_date: When it was created.
        source_branch: Branch to merge.
        destination_branch: Branch to merge into.
        description: The description; listings leave it out.
        merged_commit_id: ID of the merge commit, once it is merged.
        closed_date: When it was closed or merged.
    """

    id: str
    title: str
    status: str
    author: str
    creation_date: str
    source_branch: str
    destination_branch: str
    description: str | None = None
    merged_commit_id: str | None = None
    closed_date: str | None = None


class PullRequestPage(Record, frozen=True):
    """One page of pull requests."""

    pagination: Pagination
    results: list[PullRequest]


class PullRequestCreation(Record, frozen=True):
    """A pull request to create."""

    title: str
    source_branch: str
    destination_branch: str
    description: str | None = None


class PullRequestCreated(Record, frozen=True):
    """The ID of a new pull request."""

    id: str


class PullRequestUpdate(Record, frozen=True):
    """What to change of a pull request; None leaves a field as it is."""

    title: str | None = None
    description: str | None = None
    status: str | None = None


class ActionRun(Record, frozen=True):
    """A run of the actions of one event; times are RFC 3339 text.

    Attributes:
        run_id: ID of the run.
        branch: Branch of the event; "" if the event is one of a tag.
        start_time: When it started.
        event_type: The event, such as "pre-commit".
        status: "completed" or "failed".
        commit_id: Commit of the event; "" if it had none.
        end_time: When it ended.
    """

    run_id: str
    branch: str
    start_time: str
    event_type: str
    status: str
    commit_id: str
    end_time: str | None = None


class ActionRunPage(Record, frozen=True):
    """One page of action runs."""

    pagination: Pagination
    results: list[ActionRun]


class HookRun(Record, frozen=True):
    """A run of one hook of an action; times are RFC 3339 text.

    Attributes:
        hook_run_id: ID of the hook's run within the action run.
        action: Name of the action.
        hook_id: ID of the hook in the action's file.
        start_time: When it started; the year 1 if it was skipped.
        status: "completed", "failed" or "skipped"; the last is not in lakeFS's specification, but its server writes it.
        end_time: When it ended.
    """

    hook_run_id: str
    action: str
    hook_id: str
    start_time: str
    status: str
    end_time: str | None = None


class HookRunPage(Record, frozen=True):
    """One page of hook runs."""

    pagination: Pagination
    results: list[HookRun]


# -- the server -------------------------------------------------------------------------------------------------------


class VersionConfig(Record, frozen=True):
    """Version of the server."""

    version: str | None = None
    version_context: str | None = None
    latest_version: str | None = None
    upgrade_recommended: bool | None = None
    upgrade_url: str | None = None


class StorageConfig(Record, frozen=True):
    """Configuration of the server's object store."""

    blockstore_type: str
    blockstore_namespace_example: str = field(default_factory=str)
    namespace_validity_regex: str = field(default_factory=str, name="blockstore_namespace_ValidityRegex")
    default_namespace_prefix: str | None = None
    pre_sign_support: bool = field(default_factory=bool)
    pre_sign_support_ui: bool = field(default_factory=bool)
    import_support: bool = field(default_factory=bool)
    import_validity_regex: str = field(default_factory=str)
    pre_sign_multipart_upload: bool | None = None
    blockstore_id: str | None = None
    blockstore_description: str | None = None


class Config(Record, frozen=True):
    """Configuration of the server."""

    version_config: VersionConfig | None = None
    storage_config: StorageConfig | None = None
    storage_config_list: list[StorageConfig] | None = None
    ui_config: dict[str, Any] | None = None
    capabilities_config: dict[str, Any] | None = None


class GCConfig(Record, frozen=True):
    """Grace period of garbage collection in seconds."""

    grace_period: int | None = None


class Login(Record, frozen=True):
    """A key pair to log in with."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return f"<Login {self.access_key_id}>"


class ExternalLogin(Record, frozen=True):
    """A signed external identity to log in with."""

    identity: dict[str, Any] = field(name="identityRequest")
    token_expiration_duration: int | None = None

    def __repr__(self) -> str:
        return "<ExternalLogin>"


class Token(Record, frozen=True):
    """Response to a login. `token_expiration` is in Unix seconds."""

    token: str
    token_expiration: int = field(default_factory=int)

    def __repr__(self) -> str:
        return "<Token>"


class AccessKey(Record, frozen=True):
    """An access key of our own server, without its secret.

    Attributes:
        access_key_id: Its ID.
        name: What it is called; None without a name.
        owner: The user who manages it.
        read_only: Whether it may only read.
        repositories: The repositories that it is limited to; None for all.
        created_at: Time of its creation in Unix seconds.
    """

    access_key_id: str
    name: str | None
    owner: str
    read_only: bool
    repositories: list[str] | None
    created_at: int


class AccessKeyPage(Record, frozen=True):
    """One page of access keys."""

    pagination: Pagination
    results: list[AccessKey]


class AccessKeyCreation(Record, frozen=True):
    """An access key to be created, of our own server. The client has drawn the pair."""

    access_key_id: str
    secret_access_key: str
    name: str | None = None
    read_only: bool = False
    repositories: list[str] | None = None

    def __repr__(self) -> str:
        return f"<AccessKeyCreation {self.name}>"


class User(Record, frozen=True):
    """A user."""

    id: str
    creation_date: int
    friendly_name: str | None = None
    email: str | None = None


class CurrentUser(Record, frozen=True):
    """The user of the credentials."""

    user: User


class LoginConfig(Record, frozen=True):
    """How people sign in."""

    rbac: str = field(name="RBAC")
    login_url: str
    login_cookie_names: list[str]
    logout_url: str
    login_url_method: str | None = None
    login_failed_message: str | None = None
    username_ui_placeholder: str | None = None
    password_ui_placeholder: str | None = None
    fallback_login_url: str | None = None
    fallback_login_label: str | None = None


class SetupState(Record, frozen=True):
    """Whether the server is set up."""

    state: str
    comm_prefs_missing: bool | None = None
    login_config: LoginConfig | None = None


_DECODERS: Final[dict[type[Any], msgspec.json.Decoder[Any]]] = {}
encode: Final = msgspec.json.Encoder().encode


def decode(kind: type[T], data: bytes) -> T:
    """Decode a record.

    Raises:
        msgspec.DecodeError: The data is not JSON, or not of this type (`msgspec.ValidationError`).
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    result: T = decoder.decode(data)
    return result
