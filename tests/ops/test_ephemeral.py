"""Names of ephemeral branches, and IDs with a time."""

from __future__ import annotations

import random
import uuid

import pytest

from lakefs_hl.ops import ephemeral

#: RFC 9562, appendix A.6: 2022-02-22 14:22:22 -05:00, in milliseconds.
EXAMPLE = "017f22e279b07cc398c4dc0c0c07398f"
MOMENT = 1_645_557_742_000


def test_the_example_of_the_rfc() -> None:
    found = ephemeral.parse(f"tx-main-{EXAMPLE}")
    assert found is not None
    assert found.started == MOMENT / 1000


def test_an_id_is_a_uuid_of_version_7(rng: random.Random) -> None:
    for _ in range(100):
        now = rng.randrange(2**47) * 1_000_000 + rng.randrange(1_000_000)
        made = uuid.UUID(ephemeral.make_id(now, rng.randbytes(ephemeral.RANDOM_BYTES)))
        assert (made.version, made.variant) == (7, uuid.RFC_4122)
        name = ephemeral.name_of("main", made.hex)
        assert name.started == (now // 1_000_000) / 1000


def test_later_ids_sort_later(rng: random.Random) -> None:
    moments = [MOMENT * 1_000_000 + step * 250 for step in range(10_000)]  # a quarter of a microsecond apart
    made = [ephemeral.make_id(now, rng.randbytes(ephemeral.RANDOM_BYTES)) for now in moments]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_all_random_bytes_are_used() -> None:
    low, high = (ephemeral.make_id(0, fill * ephemeral.RANDOM_BYTES) for fill in (b"\0", b"\xff"))
    assert int(low, 16) ^ int(high, 16) == 2**62 - 1


@pytest.mark.parametrize("destination", ["main", "a-b", "tx-main-" + "0" * 32, "x" * 200])
def test_names_round_trip(destination: str) -> None:
    name = ephemeral.name_of(destination, EXAMPLE)
    assert name.branch == f"tx-{destination}-{EXAMPLE}"
    assert ephemeral.parse(name.branch) == name


def test_an_id_of_an_earlier_release_has_no_time() -> None:
    name = ephemeral.parse(f"tx-main-{uuid.UUID(EXAMPLE[:12] + '4' + EXAMPLE[13:]).hex}")
    assert name is not None
    assert name.started is None
    assert ephemeral.name_of("main", EXAMPLE[:16] + "c" + EXAMPLE[17:]).started is None  # another variant


@pytest.mark.parametrize("branch", ["main", "tx-main", f"tx--{EXAMPLE}", f"tx-main-{EXAMPLE[1:]}", f"x-main-{EXAMPLE}"])
def test_other_branch_names_are_not_parsed(branch: str) -> None:
    assert ephemeral.parse(branch) is None
