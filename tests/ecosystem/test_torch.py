"""PyTorch: data sets for a DataLoader with workers, and state that is saved to a branch."""

from __future__ import annotations

import doctest
import io
import itertools
import multiprocessing
import pickle
import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from tests import serving
from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs
from tests.faults.proxy import Turn, proxied
from tests.worlds import storage_hosts

needs("torch")

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, Subset, get_worker_info

import lakefs_hl.torch as ours
from lakefs_hl.torch import ObjectDataset, ObjectIterableDataset
from tests.ecosystem import samples

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # 3.12: torch itself has threads


@pytest.fixture
def keys_in_the_environment(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of the lake, where workers find them that are not forked."""
    if lake.kind != "embedded":
        host, key, secret = lake.options.values()
        monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", host)
        monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", secret)


def check_epochs(lake: Lake, dataset: Any, method: str, **given: Any) -> None:
    """Two epochs of workers that are kept, while the branch moves: each sample of the pinned commit exactly once."""
    loader: Any = DataLoader(
        dataset,
        batch_size=4,
        num_workers=2,
        multiprocessing_context=method,
        persistent_workers=True,
        generator=torch.Generator().manual_seed(3),
        **given,
    )
    orders = []
    for epoch in range(2):
        if isinstance(dataset, ObjectIterableDataset):
            dataset.set_epoch(epoch)
        orders.append([int(each) for each in samples.flat(loader)])
        lake.branch.upload(b"-1", f"train/late-{epoch}.txt")
        lake.branch.upload(f"-{secrets.randbits(40)}", "train/000.txt")
        lake.branch.commit_changes("the branch moves")
        lake.branch.upload(b"-2", "train/000.txt")
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(30))
    assert orders[0] != orders[1]
    assert list(range(30)) not in orders


def test_forked_workers_read_each_sample_once(lake: Lake) -> None:
    commit = samples.fill(lake.branch, 30)
    check_epochs(lake, ObjectDataset(commit, "train/", transform=samples.number), "fork", shuffle=True)
    shuffled = ObjectIterableDataset(commit, "train/", transform=samples.number, shuffle=True, seed=5, read_ahead=4)
    check_epochs(lake, shuffled, "fork")


@pytest.mark.usefixtures("keys_in_the_environment")
def test_spawned_workers_read_each_sample_once(lake: Lake) -> None:
    samples.fill(lake.branch, 30)
    dataset = ObjectDataset(lake.branch, "train/", transform=samples.number)
    check_epochs(lake, dataset, "spawn", shuffle=True)


def test_workers_of_a_fork_server_read_each_sample_once(lake: Lake) -> None:
    """A fork server keeps the environment that it was started with, so the pickle takes the keys with it."""
    multiprocessing.set_forkserver_preload(["lakefs_hl.torch"])
    client = lakefs_hl.Client(**lake.options, pickle_secrets=True, allowed_storage_hosts=storage_hosts())
    commit = lakefs_hl.Reference(lake.branch.repository_id, samples.fill(lake.branch, 30).id, client=client)
    dataset = ObjectIterableDataset(commit, "train/", transform=samples.number, shuffle=True, seed=5, read_ahead=4)
    check_epochs(lake, dataset, "forkserver")


def test_a_data_set_is_a_list_of_the_objects_of_a_commit(lake: Lake) -> None:
    branch = lake.branch
    commit = samples.fill(branch, 12)
    branch.upload_many([("train/x.csv", b"csv"), ("other/x.txt", b"other")])
    branch.commit_changes("others")
    dataset = ObjectDataset(f"{lake.uri}", "train/", suffix=".txt")
    assert dataset.reference == branch.head()
    assert list(dataset.paths) == [f"train/{each:03}.txt" for each in range(12)]
    assert dataset.paths[2:4] == ["train/002.txt", "train/003.txt"]
    assert dataset[3] == ("train/003.txt", b"3")
    assert dataset[-1].path == "train/011.txt"
    assert dataset.__getitems__([5, 0, 5]) == [dataset[5], dataset[0], dataset[5]]
    assert [each.data for each in Subset(dataset, [4, 2])] == [b"4", b"2"]
    for index in (12, -13):
        with pytest.raises(IndexError, match=f"index {index} is out of range: the data set has 12 samples"):
            dataset[index]
    chosen = ObjectDataset(commit, paths=["train/004.txt", "train/ü.txt"])
    assert list(chosen.paths) == ["train/004.txt", "train/ü.txt"]
    with pytest.raises(exceptions.ObjectNotFoundException, match=r"train/ü\.txt"):
        chosen[1]
    with pytest.raises(exceptions.ObjectNotFoundException, match=r"train/ü\.txt"):
        chosen.__getitems__([0, 1])
    batches: Any = DataLoader(dataset, batch_size=5, drop_last=True)
    assert [list(batch.path) for batch in batches] == [list(dataset.paths[:5]), list(dataset.paths[5:10])]


def test_what_cannot_be_a_data_set_says_why(lake: Lake) -> None:
    branch = lake.branch
    branch.upload(b"1", "train/0.txt")
    with pytest.raises(
        exceptions.ObjectNotFoundException, match=r"no object with prefix 'train/' in lakefs://.*commit them first"
    ):
        ObjectDataset(branch, "train/")
    commit = branch.commit_changes("one")
    with pytest.raises(exceptions.ObjectNotFoundException, match=r"no object with prefix 'tra1n/' and suffix '\.png'"):
        ObjectIterableDataset(commit, "tra1n/", suffix=".png")
    with pytest.raises(exceptions.NotFoundException):
        ObjectDataset(lakefs_hl.repository(branch.repository_id).branch("absent"))
    with pytest.raises(TypeError, match=r"reference must be a lakefs_hl\.Reference or its URI, not Repository"):
        ObjectDataset(lakefs_hl.repository(branch.repository_id))  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="transform must be callable or None, not str"):
        ObjectDataset(branch, transform="decode")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"not a string: 'train/0\.txt'"):
        ObjectDataset(branch, paths="train/0.txt")
    with pytest.raises(ValueError, match="paths cannot be combined with prefix or suffix"):
        ObjectDataset(branch, "train/", paths=["train/0.txt"])
    with pytest.raises(ValueError, match="given together, not rank=1 and world_size=None"):
        ObjectIterableDataset(branch, rank=1)
    with pytest.raises(ValueError, match="not rank=2 and world_size=2"):
        ObjectIterableDataset(branch, rank=2, world_size=2)
    with pytest.raises(ValueError, match="read_ahead must be an integer ≥ 1, not 0"):
        ObjectIterableDataset(branch, read_ahead=0)


@pytest.mark.parametrize("is_iterable", [False, True])
def test_an_error_in_a_worker_names_the_object(lake: Lake, is_iterable: bool) -> None:
    commit = samples.fill(lake.branch, 9)
    kind: Any = ObjectIterableDataset if is_iterable else ObjectDataset
    bad: Any = DataLoader(kind(commit, transform=samples.fail_on_seven), batch_size=9, num_workers=1)
    with pytest.raises(ValueError, match="seven is not a number") as raised:
        list(bad)
    assert "in DataLoader worker process 0" in str(raised.value)
    assert f"raised by transform for {commit.uri}train/007.txt" in str(raised.value)
    absent: Any = DataLoader(kind(commit, paths=["train/000.txt", "absent.txt"]), batch_size=2, num_workers=1)
    with pytest.raises(exceptions.ObjectNotFoundException, match=r"absent\.txt") as missing:
        list(absent)
    assert "in DataLoader worker process 0" in str(missing.value)
    assert lake.options.get("password", "no secret") not in str(missing.value)


def test_a_pickle_has_no_secrets_and_the_paths_take_little(lake: Lake) -> None:
    commit = samples.fill(lake.branch, 3)
    many = [f"train/images/class-{each % 1000:04}/{each:08}.png" for each in range(100_000)]
    for kind in (ObjectDataset, ObjectIterableDataset):
        start = time.perf_counter()
        text = pickle.dumps(kind(commit, paths=many))
        again = pickle.loads(text)
        assert time.perf_counter() - start < 2
        assert len(text) < 100_000 * (len(many[0]) + 9)
        assert again.paths[77_777] == many[77_777]
        assert again.reference.id == commit.id
        for name in ("username", "password"):
            assert lake.options.get(name, "no secret").encode() not in text


def test_a_batch_is_fetched_at_a_time(served_lake: serving.Served) -> None:
    """One request for each object, several of them at a time."""
    four_at_a_time = threading.Barrier(4)

    def wait_for_others(turn: Turn) -> None:
        four_at_a_time.wait(timeout=30)
        turn.answer(turn.forward())

    with (
        proxied(served_lake.url) as proxy,
        lakefs_hl.Client(proxy.url, served_lake.key, served_lake.secret) as client,
    ):
        branch = lakefs_hl.repository(f"torch-{secrets.token_hex(4)}", client=client).create().branch("main")
        dataset = ObjectDataset(samples.fill(branch, 16), "train/", transform=samples.number)
        before = len(proxy.operations())
        proxy.plan = lambda seen: ("waits", wait_for_others)
        batches: Any = DataLoader(dataset, batch_size=16)
        assert [batch.tolist() for batch in batches] == [list(range(16))]
        assert proxy.operations()[before:] == ["getObject"] * 16
        assert not four_at_a_time.broken


# -- shares of ranks and workers ---------------------------------------------------------------------------------------


def ranks(commit: lakefs_hl.Commit, world_size: int, workers: int, **given: Any) -> list[list[int]]:
    """What each rank reads, with its number of workers."""
    found = []
    for rank in range(world_size):
        dataset = ObjectIterableDataset(
            commit, "train/", transform=samples.number, rank=rank, world_size=world_size, **given
        )
        loader: Any = DataLoader(
            dataset, batch_size=3, num_workers=workers, multiprocessing_context="fork" if workers else None
        )
        found.append([int(each) for each in samples.flat(loader)])
    return found


def test_ranks_and_workers_share_the_objects(lake: Lake) -> None:
    commit = samples.fill(lake.branch, 23)
    plain = ranks(commit, 3, 0)
    assert plain == [list(range(rank, 23, 3)) for rank in range(3)]
    with_workers = ranks(commit, 3, 2)
    assert [sorted(each) for each in with_workers] == plain
    even = ranks(commit, 3, 2, even=True)
    assert [len(each) for each in even] == [7, 7, 7]
    assert sorted(itertools.chain(*even)) == list(range(21))
    shuffled = ranks(commit, 2, 2, shuffle=True, seed=4)
    assert shuffled == ranks(commit, 2, 2, shuffle=True, seed=4)
    assert sorted(itertools.chain(*shuffled)) == list(range(23))
    assert shuffled != ranks(commit, 2, 2, shuffle=True, seed=5)
    dataset = ObjectIterableDataset(commit, "train/", shuffle=True)
    orders = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        orders.append([each.path for each in dataset])
    assert orders[0] == orders[2] != orders[1]
    more_workers_than_objects: Any = DataLoader(
        ObjectIterableDataset(commit, paths=["train/003.txt"], transform=samples.number), num_workers=2
    )
    assert [int(each) for each in samples.flat(more_workers_than_objects)] == [3]


@pytest.fixture
def second_of_three() -> Iterator[None]:
    """A process group of torch, in this process alone."""
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", rank=1, world_size=3, store=FakeStore())
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("keys_in_the_environment")
def test_the_rank_is_that_of_the_process_group(lake: Lake, request: pytest.FixtureRequest) -> None:
    dataset = ObjectIterableDataset(samples.fill(lake.branch, 9), "train/", transform=samples.number)
    assert list(dataset) == list(range(9))
    request.getfixturevalue("second_of_three")
    assert list(dataset) == [1, 4, 7]
    assert list(pickle.loads(pickle.dumps(dataset))) == [1, 4, 7]
    sent = pickle.dumps(dataset)
    dist.destroy_process_group()
    assert get_worker_info() is None
    assert list(pickle.loads(sent)) == [1, 4, 7]  # as in a worker that was not forked
    explicit = ObjectIterableDataset(dataset.reference, "train/", transform=samples.number, rank=0, world_size=9)
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", rank=2, world_size=3, store=FakeStore())
    assert list(pickle.loads(sent)) == [2, 5, 8]  # sent from one rank to another, it is that of the receiver
    assert list(explicit) == [0]


@pytest.mark.usefixtures("keys_in_the_environment")
def test_an_epoch_travels_with_a_pickle(lake: Lake) -> None:
    dataset = ObjectIterableDataset(samples.fill(lake.branch, 9), "train/", transform=samples.number, shuffle=True)
    dataset.set_epoch(3)
    again = pickle.loads(pickle.dumps(dataset))
    assert list(again) == list(dataset)
    again.set_epoch(4)
    assert list(again) != list(dataset)


# -- saved state -------------------------------------------------------------------------------------------------------


def make_model() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(40, 50), torch.nn.ReLU(), torch.nn.Linear(50, 2))


def test_state_is_saved_and_loaded(lake: Lake) -> None:
    branch, model = lake.branch, make_model()
    with branch.open("model.pt", "wb") as file:
        torch.save({"model": model.state_dict(), "epoch": 7}, file)
    with branch.open("old.pt", "wb") as file:
        torch.save(model.state_dict(), file, _use_new_zipfile_serialization=False)
    commit = branch.commit_changes("trained")
    with torch.no_grad():
        model[0].weight.zero_()
    with branch.open("model.pt", "wb") as file:
        torch.save({"model": model.state_dict()}, file)
    with commit.open("model.pt", "rb") as file:
        found = torch.load(file, map_location="cpu", weights_only=True)
    with commit.open("old.pt", "rb") as file:
        old = torch.load(file, weights_only=True)
    for name, weights in old.items():
        assert torch.equal(found["model"][name], weights)
    assert found["model"]["0.weight"].any()
    assert found["epoch"] == 7
    with branch.open("model.pt", "rb") as file:
        assert not torch.load(file, weights_only=True)["model"]["0.weight"].any()


def test_a_failed_save_publishes_nothing(lake: Lake) -> None:
    with pytest.raises(pickle.PicklingError, match="this is not pickled"):
        with lake.branch.open("model.pt", "wb") as file:
            torch.save({"weights": torch.ones(1000), "bad": samples.Unpicklable()}, file)
    assert not lake.branch.exists("model.pt")


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")  # it is: one process saves
def test_a_distributed_checkpoint_is_one_commit(lake: Lake) -> None:
    pytest.importorskip("fsspec")
    checkpoint = pytest.importorskip("torch.distributed.checkpoint")
    storage = pytest.importorskip("torch.distributed.checkpoint.fsspec_filesystem", reason="it was private before 2.15")
    model = make_model()
    with lake.branch.transaction("checkpoint 1") as tx:
        writer = storage.FsspecWriter(f"{tx.uri}checkpoints/1", sync_files=False, **lake.options)
        checkpoint.save({"model": model.state_dict()}, storage_writer=writer, no_dist=True)
        assert not lake.branch.is_dir("checkpoints")
    commit = lake.branch.head()
    paths = [info.path for info in commit.list_objects(prefix="checkpoints/1/", recursive=True)]
    assert paths == ["checkpoints/1/.metadata", "checkpoints/1/__0_0.distcp"]
    expected = {name: weights.clone() for name, weights in model.state_dict().items()}
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
    state = {"model": model.state_dict()}
    reader = storage.FsspecReader(f"{commit.uri}checkpoints/1", **lake.options)
    checkpoint.load(state, storage_reader=reader, no_dist=True)
    assert all(torch.equal(state["model"][name], weights) for name, weights in expected.items())


# -- the documentation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ObjectDataset", "ObjectIterableDataset"])
def test_the_examples_run(name: str) -> None:
    (test,) = [each for each in doctest.DocTestFinder().find(getattr(ours, name), name) if each.examples]
    with lakefs_hl.Client("mem://") as client:
        test.globs = {"branch": lakefs_hl.repository("example", client=client).create().branch("main")}
        out = io.StringIO()
        failed = doctest.DocTestRunner(verbose=False).run(test, out=out.write)
    assert failed.failed == 0, out.getvalue()
