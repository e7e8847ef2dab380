"""A flow for Prefect: tasks that are retried, on a version of the data that does not change meanwhile.

    python examples/prefect_flow.py            # in memory
    python examples/prefect_flow.py ./lake     # in a directory that stays

Runs without Prefect: the two decorators below have of Prefect's what this flow uses. In your project delete them, and
write instead:

    from prefect import flow, task
"""

from __future__ import annotations

import csv
import functools
import io
import sys
import threading
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import lakefs_hl as lakefs

P = ParamSpec("P")
T = TypeVar("T")

# ------------------------------------------------------------------------------------------- in place of Prefect's own


def task(*, retries: int = 0, retry_delay_seconds: float = 0) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Repeat a function that fails."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            for _ in range(retries):
                try:
                    return function(*args, **kwargs)
                except Exception as exc:  # noqa: BLE001 - whatever it is, the task is repeated
                    print(f"{function.__name__} failed: {exc.__cause__ or exc}; again")
                    threading.Event().wait(retry_delay_seconds)
            return function(*args, **kwargs)

        return run

    return decorate


def flow(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function itself."""
    return function


# ---------------------------------------------------------------------------------------------------- for your project


@task()
def pin(branch: lakefs.Branch) -> lakefs.Commit:
    """Choose the version that all tasks of this run read. A commit can be pickled, so it reaches other workers."""
    return branch.pin()


@task(retries=2)
def summarize(source: lakefs.Commit, day: str) -> tuple[str, int]:
    """Read a day of this version. It is safe to repeat, because it writes nothing."""
    with source.open(f"raw/{day}.csv", newline="") as file:
        return day, sum(int(row["amount"]) for row in csv.DictReader(file))


@task(retries=3)
def publish(branch: lakefs.Branch, source: lakefs.Commit, sums: list[tuple[str, int]]) -> str:
    """Write the result in one commit, and return its ID. An attempt that fails leaves nothing: it can be repeated."""
    with branch.transaction("sums of all days", metadata={"source": source.id}, delete_on_error=True) as tx:
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([("day", "sum"), *sums])
        tx.upload(table.getvalue(), "sums.csv")
        check_quality(tx)
    return tx.merge_commit_id or branch.pin().id  # sums that are there already are no change


@flow
def summarize_all(branch: lakefs.Branch) -> str:
    """Summarize each day of one version, and publish the sums."""
    source = pin(branch)
    days = sorted(entry.path.removeprefix("raw/").removesuffix(".csv") for entry in source.list_objects(prefix="raw/"))
    return publish(branch, source, [summarize(source, day) for day in days])


#: What the checks say, one after the other: the first attempt to publish fails.
VERDICTS: Iterator[str] = iter(["the service of the checks is down", ""])


def check_quality(tx: lakefs.BranchTransaction) -> None:
    """Check what was written, before anybody else can see it."""
    if verdict := next(VERDICTS, ""):
        raise RuntimeError(verdict)
    if not tx.download("sums.csv").startswith(b"day,sum\n"):
        raise ValueError("sums.csv has no heading")


def main(place: str) -> None:
    """Load two days, and run the flow."""
    with lakefs.Client(place) as client:
        repository = lakefs.repository("sales", client=client).get_or_create()
        branch = repository.branch("main")
        with branch.transaction("two days") as tx:
            tx.upload("amount\n1\n2\n", "raw/2026-01-01.csv")
            tx.upload("amount\n30\n", "raw/2026-01-02.csv")
        commit = repository.commit(summarize_all(branch))
        print(commit.download("sums.csv").decode(), end="")
        print("made of", repository.commit(commit.metadata()["source"]).get_commit().message)
        print([each.message for each in branch.log() if len(each.parents) == 1])
        print([each.id for each in repository.list_branches()])


if __name__ == "__main__":
    main(f"local:{sys.argv[1]}" if len(sys.argv) > 1 else "mem://")
