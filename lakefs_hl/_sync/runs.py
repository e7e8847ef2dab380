# Generated from lakefs_hl/aio/runs.py by tools/unasync.py: change that, not this.
"""Action runs, and the runs of their hooks."""

from __future__ import annotations

from lakefs_hl._handles import runs as calls
from lakefs_hl._handles.handle import own_client
from lakefs_hl._handles.runs import HookRunFields, RunFields
from lakefs_hl._sync.client import Client
from lakefs_hl._sync.lazy import LazyRecord
from lakefs_hl._sync.listing import Listing
from lakefs_hl._sync.of_default import OfDefault, client_of
from lakefs_hl.spec import models


class Run(RunFields, LazyRecord[models.ActionRun]):
    """A run of a repository's actions, started by an event such as a commit or a merge. An embedded lake has none.

    `Repository.runs` returns it with its fields loaded. `refresh()` looks them up again.

    Args:
        repository_id: Name of the repository.
        run_id: ID of the run. The error of a refused commit or merge names it.
        client: Client to use. Defaults to the default client at the time of each call.
    """

    __module__ = "lakefs_hl"
    _package = "lakefs_hl"
    _of_default = OfDefault

    def __init__(self, repository_id: str, run_id: str, client: Client | None = None) -> None:
        super().__init__(repository_id, run_id, "run_id", own_client(client, Client))

    @property
    def _client(self) -> Client:
        return client_of(self._given)

    def refresh(self) -> Run:
        """Look up the fields.

        Returns:
            The run itself.

        Raises:
            NotFoundException: The repository or the run does not exist.
        """
        return self._keep(self._client._run(calls.get, self))

    def hooks(self, max_amount: int | None = None, after: str = "") -> Listing[HookRun]:
        """Iterate over the hooks of the run, lazily. There are none if the run does not exist.

        Args:
            max_amount: Maximum number of hooks. Defaults to all.
            after: List only hooks after this ID of a hook's run.
        """
        return self._client._list(
            lambda row: HookRun(self._repository_id, self._id, row, self._given), calls.hooks, self, max_amount, after
        )


class HookRun(HookRunFields):
    """A run of one hook of an action, as `Run.hooks` lists it."""

    __module__ = "lakefs_hl"
    _of_default = OfDefault

    def output(self) -> str:
        r"""Read what the hook printed: the request and the response of a webhook, or the output of a Lua script.

        Returns:
            The output as text, "" if the hook was skipped. Bytes that are not UTF-8 are written as `\xff`.

        Raises:
            NotFoundException: The repository, the run or the hook does not exist.
        """
        return client_of(self._given)._run(calls.output, self)
