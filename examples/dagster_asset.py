"""Assets of Dagster in a lake: an IO manager that publishes each partition in one commit, and reads what was published.

    python examples/dagster_asset.py            # in memory
    python examples/dagster_asset.py ./lake     # in a directory that stays

Runs without Dagster: the classes below have of Dagster's what the IO manager uses. In your project delete them, and
write instead:

    from dagster import (
        AssetKey, ConfigurableIOManager, InputContext, OutputContext, StaticPartitionsDefinition, asset, materialize
    )
"""

from __future__ import annotations

import inspect
import json
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import lakefs_hl as lakefs

# ------------------------------------------------------------------------------------------- in place of Dagster's own


@dataclass
class AssetKey:
    """The name of an asset, in parts."""

    path: list[str]


@dataclass
class OutputContext:
    """What an IO manager is told of a value that an asset returned."""

    asset_key: AssetKey
    run_id: str
    partition_key: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def has_partition_key(self) -> bool:
        """Whether the asset has partitions."""
        return self.partition_key is not None

    def add_output_metadata(self, metadata: dict[str, Any]) -> None:
        """Note what Dagster's pages show of this materialization."""
        self.metadata.update(metadata)


@dataclass
class InputContext:
    """What an IO manager is told of a value that an asset wants."""

    asset_key: AssetKey
    partition_key: str | None = None

    @property
    def has_partition_key(self) -> bool:
        """Whether the asset has partitions."""
        return self.partition_key is not None


def materialize(
    assets: list[Callable[..., Any]], io_manager: LakeFSIOManager, partition_key: str | None = None
) -> list[OutputContext]:
    """Run assets in their order. Each gets the values of those that its parameters name."""
    run_id, made = str(uuid.uuid4()), []
    for function in assets:
        inputs = [name for name in inspect.signature(function).parameters if name != "partition_key"]
        values = {name: io_manager.load_input(InputContext(AssetKey([name]), partition_key)) for name in inputs}
        if len(inputs) < len(inspect.signature(function).parameters):
            values["partition_key"] = partition_key
        context = OutputContext(AssetKey([function.__name__]), run_id, partition_key)
        io_manager.handle_output(context, function(**values))
        made.append(context)
    return made


# ---------------------------------------------------------------------------------------------------- for your project


class LakeFSIOManager:
    """Keeps assets in a branch, as JSON: `assets/<key>/<partition>.json`. Derive it from `ConfigurableIOManager`.

    Each materialization is a commit of its own, with the run's ID in its metadata. Runs of several partitions may
    publish at the same time.

    Args:
        branch: Branch to publish on.
        version: What inputs are read from, such as a tag. Defaults to the branch.
    """

    def __init__(self, branch: lakefs.Branch, version: lakefs.Reference | None = None) -> None:
        self.branch = branch
        self.version = version or branch

    def handle_output(self, context: OutputContext, obj: object) -> None:
        """Publish a value, and show its commit in Dagster's pages."""
        path = path_of(context)
        metadata = {"dagster_run_id": context.run_id, "dagster_asset": "/".join(context.asset_key.path)}
        if context.has_partition_key:
            metadata["dagster_partition"] = str(context.partition_key)
        # a run that is repeated writes the same value: that changes nothing, and the branch keeps its last commit
        tx = self.branch.transaction(f"materialize {path}", metadata=metadata, retries=10, delete_on_error=True)
        with tx:
            tx.upload(json.dumps(obj, sort_keys=True), path, content_type="application/json")
        commit = tx.merge_commit_id or self.branch.pin().id
        context.add_output_metadata({"commit": commit, "uri": f"lakefs://{self.branch.repository_id}/{commit}/{path}"})

    def load_input(self, context: InputContext) -> Any:
        """Read a value, as it was published."""
        return json.loads(self.version.download(path_of(context)))


def path_of(context: InputContext | OutputContext) -> str:
    """Return the path of an asset, or of its partition."""
    partition = [str(context.partition_key)] if context.has_partition_key else []
    return "/".join(["assets", *context.asset_key.path, *partition]) + ".json"


# @asset(partitions_def=StaticPartitionsDefinition(["north", "south"])); there the key is `context.partition_key`
def orders(partition_key: str) -> list[int]:
    """The orders of a region."""
    return {"north": [1, 2], "south": [30]}[partition_key]


# @asset(partitions_def=StaticPartitionsDefinition(["north", "south"]))
def revenue(orders: list[int]) -> int:
    """The revenue of a region."""
    return sum(orders)


def main(place: str) -> None:
    """Materialize two partitions, look at one version, and repeat a run."""
    with lakefs.Client(place) as client:
        repository = lakefs.repository("warehouse", client=client).get_or_create()
        branch = repository.branch("main")
        io_manager = LakeFSIOManager(branch)
        for region in ("north", "south"):
            _, made = materialize([orders, revenue], io_manager, region)
            uri = made.metadata["uri"]
            print(
                region, lakefs.ref("/".join(uri.split("/")[:4]), client=client).download(uri.split("/", 4)[4]).decode()
            )
        print([entry.path for entry in branch.list_objects(prefix="assets/", recursive=True)])
        last = branch.head()
        print("of run:", last.metadata()["dagster_run_id"] == made.run_id, last.metadata()["dagster_partition"])
        materialize([revenue], io_manager, "south")
        print("repeated, and nothing changed:", branch.head() == last)
        release = repository.tag("january").create(branch)
        branch.upload("[]", "assets/orders/south.json", commit_message="a correction")
        old = LakeFSIOManager(branch, version=release).load_input(InputContext(AssetKey(["orders"]), "south"))
        print(
            "orders of the release, and now:", old, io_manager.load_input(InputContext(AssetKey(["orders"]), "south"))
        )


if __name__ == "__main__":
    main(f"local:{sys.argv[1]}" if len(sys.argv) > 1 else "mem://")
