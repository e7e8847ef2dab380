"""A hook, an operator and a sensor for Airflow, which publish the work of a task in one commit, however often it runs.

    python examples/airflow_hook.py            # in memory
    python examples/airflow_hook.py ./lake     # in a directory that stays

Runs without Airflow: the three base classes below have of Airflow's what these classes use. In your project delete
them, and write instead:

    from airflow.sdk import BaseHook, BaseOperator
    from airflow.sdk.bases.sensor import BaseSensorOperator, PokeReturnValue
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import unquote, urlsplit

import lakefs_hl as lakefs

# ------------------------------------------------------------------------------------------- in place of Airflow's own


@dataclass
class Connection:
    """A connection, as Airflow has it: of a URI, or of a dictionary such as `AIRFLOW_CONN_LAKEFS_DEFAULT` holds."""

    host: str | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    port: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: str | Mapping[str, Any]) -> Connection:
        """Read a connection, such as `lakefs://key:secret@host:8000`, JSON, or a dictionary."""
        if isinstance(given, str) and given.lstrip().startswith("{"):
            given = json.loads(given)
        if not isinstance(given, str):
            known = {name: given[name] for name in ("host", "login", "password", "port", "extra") if name in given}
            return cls(**known)
        url = urlsplit(given)
        login, password = (unquote(one) if one else None for one in (url.username, url.password))
        return cls(url.hostname, login, password, url.port)


class BaseHook:
    """Finds connections by their names."""

    connections: ClassVar[dict[str, Connection]] = {}

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Return a connection."""
        return cls.connections[conn_id]


class BaseOperator:
    """Has a name."""

    def __init__(self, *, task_id: str) -> None:
        self.task_id = task_id


class PokeReturnValue(NamedTuple):
    """Whether a sensor is done, and what it hands on."""

    is_done: bool
    xcom_value: Any = None


class BaseSensorOperator(BaseOperator):
    """Is asked by the scheduler until it is done."""


# ---------------------------------------------------------------------------------------------------- for your project


class LakeFSHook(BaseHook):
    """Connects to lakeFS, or to an embedded lake: a connection whose host is `local:/a/directory`.

    Without a host, the client takes what `lakectl` is configured with on the worker.

    Args:
        lakefs_conn_id: Name of the connection.
    """

    conn_name_attr, default_conn_name, conn_type, hook_name = "lakefs_conn_id", "lakefs_default", "lakefs", "lakeFS"

    def __init__(self, lakefs_conn_id: str = default_conn_name) -> None:
        self.lakefs_conn_id = lakefs_conn_id
        self._client: lakefs.Client | None = None

    def get_conn(self) -> lakefs.Client:
        """Return the client, which is the same one each time."""
        if self._client is None:
            found = self.get_connection(self.lakefs_conn_id)
            extra = dict(found.extra)
            host = extra.pop("host", found.host)
            self._client = lakefs.Client(host, found.login, found.password, port=found.port, **extra)
        return self._client

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the server answers, for the button in Airflow's pages."""
        try:
            return True, f"lakeFS {self.get_conn().version}"
        except lakefs.exceptions.LakeFSException as exc:
            return False, str(exc)

    def branch(self, repository: str, branch: str) -> lakefs.Branch:
        """Return a branch of the lake."""
        return lakefs.repository(repository, client=self.get_conn()).branch(branch)


class LakeFSPublishOperator(BaseOperator):
    """Runs a function in a transaction: what it writes becomes one commit of the branch, or nothing does.

    The run and the task have a tag on that commit. A task that Airflow repeats, although it had published before its
    worker was lost, finds the tag and publishes nothing again.

    Args:
        task_id: Name of the task.
        repository: Repository to write to.
        branch: Branch to publish on.
        write: Is called with the transaction and Airflow's context.
        lakefs_conn_id: Name of the connection.
    """

    template_fields = ("repository", "branch_id")

    def __init__(
        self,
        *,
        task_id: str,
        repository: str,
        branch: str,
        write: Callable[[lakefs.BranchTransaction, Mapping[str, Any]], object],
        lakefs_conn_id: str = LakeFSHook.default_conn_name,
    ) -> None:
        super().__init__(task_id=task_id)
        self.repository, self.branch_id, self.write, self.lakefs_conn_id = repository, branch, write, lakefs_conn_id

    def execute(self, context: Mapping[str, Any]) -> str:
        """Publish, and return the ID of the commit: the tasks that follow read this version."""
        repository = lakefs.repository(self.repository, client=LakeFSHook(self.lakefs_conn_id).get_conn())
        run = str(context["run_id"])
        tag = repository.tag(slug(f"{self.task_id}-{run}"))
        if not tag.exists():
            with repository.branch(self.branch_id).transaction(
                f"{self.task_id} of {run}",
                metadata={"airflow_run_id": run, "airflow_task_id": self.task_id},
                tag=tag,
                retries=5,  # other tasks may publish on the branch at the same time
                on_empty="commit",  # a run without changes has its tag too
                delete_on_error=True,
            ) as tx:
                self.write(tx, context)
        return tag.pin().id


class LakeFSCommitSensor(BaseSensorOperator):
    """Waits until a branch has a commit that it did not have.

    Args:
        task_id: Name of the task.
        repository: Repository of the branch.
        branch: Branch to watch.
        after: ID of the commit that is known. By default, the first commit that is not the repository's own counts.
        lakefs_conn_id: Name of the connection.
    """

    template_fields = ("repository", "branch_id", "after")

    def __init__(
        self,
        *,
        task_id: str,
        repository: str,
        branch: str,
        after: str | None = None,
        lakefs_conn_id: str = LakeFSHook.default_conn_name,
    ) -> None:
        super().__init__(task_id=task_id)
        self.repository, self.branch_id, self.after, self.lakefs_conn_id = repository, branch, after, lakefs_conn_id

    def poke(self, context: Mapping[str, Any]) -> PokeReturnValue:
        """Look once."""
        head = LakeFSHook(self.lakefs_conn_id).branch(self.repository, self.branch_id).head()
        is_new = bool(head.parents) if self.after is None else head.id != self.after
        return PokeReturnValue(is_new, head.id if is_new else None)


def slug(text: str) -> str:
    """Return a text as the name of a tag."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")


# ---------------------------------------------------------------------------------------------------------------- a run


def main(place: str) -> None:
    """Run a small pipeline as Airflow would: a task that is repeated, one that fails, and a sensor."""
    BaseHook.connections["lakefs_default"] = Connection.of({"host": place, "extra": {"committer": "airflow"}})
    hook = LakeFSHook()
    print(hook.test_connection()[0])
    lakefs.repository("sales", client=hook.get_conn()).get_or_create()
    sensor = LakeFSCommitSensor(task_id="wait", repository="sales", branch="main")
    print("published before:", sensor.poke({}).is_done)

    def load(tx: lakefs.BranchTransaction, context: Mapping[str, Any]) -> None:
        tx.upload(f"day,sum\n{context['ds']},17\n", f"daily/{context['ds']}.csv")

    task = LakeFSPublishOperator(task_id="load", repository="sales", branch="main", write=load)
    context = {"run_id": "scheduled__2026-01-01T00:00:00+00:00", "ds": "2026-01-01"}
    first = task.execute(context)
    print("the same commit when repeated:", task.execute(context) == first)

    def fail(tx: lakefs.BranchTransaction, context: Mapping[str, Any]) -> None:
        load(tx, context)
        raise RuntimeError("the source is down")

    branch = hook.branch("sales", "main")
    failing = LakeFSPublishOperator(task_id="load", repository="sales", branch="main", write=fail)
    try:
        failing.execute({"run_id": "scheduled__2026-01-02T00:00:00+00:00", "ds": "2026-01-02"})
    except lakefs.exceptions.TransactionException as exc:
        print(f"{exc.__cause__}: published {branch.exists('daily/2026-01-02.csv')}")
    done, commit = sensor.poke({})
    print("published after:", done, commit == first == branch.head().id)
    print("after that one:", LakeFSCommitSensor(task_id="w", repository="sales", branch="main", after=first).poke({}))
    print(lakefs.ref(f"lakefs://sales/{first}", client=hook.get_conn()).download("daily/2026-01-01.csv").decode())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(f"local:{Path(sys.argv[1]).absolute()}")
    else:
        with tempfile.TemporaryDirectory() as directory:
            main(f"local:{directory}/lake")
