"""Transactions, and handles of them, are recognised."""

from __future__ import annotations

import lakefs_hl
from lakefs_hl._bulk.places import is_in_transaction


def test_a_transaction_and_its_handle_are_no_branches(branch: lakefs_hl.Branch) -> None:
    assert not is_in_transaction(branch)
    assert not is_in_transaction(lakefs_hl.Branch("example", "tx-mine", branch._client))
    with branch.transaction("nothing") as tx:
        assert is_in_transaction(tx)
        assert is_in_transaction(tx.handle())
