"""Secrets are hidden wherever they are printed, and revealed only on request."""

from __future__ import annotations

import copy
import pickle

import pytest

from lakefs_hl.spec.secret import KeyPair, Secret, Unfit, hide, hide_login, hide_values, mask, reveal


def test_a_secret_is_hidden_in_every_text() -> None:
    secret = hide("s3cr3t")
    for text in (repr(secret), str(secret), f"{secret}", f"{secret:>20}", str([secret]), str({"k": secret})):
        assert "s3cr3t" not in text
    assert reveal(secret) == "s3cr3t"
    assert type(reveal(secret)) is str
    assert secret.encode() == b"s3cr3t"


def test_a_secret_can_be_copied_but_not_pickled() -> None:
    secret = Secret("s3cr3t")
    assert copy.copy(secret) is secret
    assert copy.deepcopy(secret) is secret
    with pytest.raises(TypeError, match="a secret cannot be pickled"):
        pickle.dumps(secret)


def test_values_that_are_not_strings_are_replaced_by_their_type() -> None:
    assert hide(None) is None
    assert isinstance(hide(b"s3cr3t"), Unfit)
    assert repr(hide(b"s3cr3t")) == "<bytes>"
    assert repr(hide_values(b"s3cr3t")) == "<bytes>"
    assert "s3cr3t" not in repr(hide_values({"x-key": "s3cr3t"}))


@pytest.mark.parametrize("url", ["http://user:s3cr3t@proxy:3128", "user:s3cr3t@proxy"])
def test_a_url_with_credentials_is_hidden(url: str) -> None:
    assert "s3cr3t" not in repr(hide_login(url))
    assert reveal(hide_login(url)) == url


@pytest.mark.parametrize("url", ["http://proxy:3128", "local:./a@b", "mem://a@b", None])
def test_a_url_without_credentials_is_unchanged(url: str | None) -> None:
    assert hide_login(url) is url


def test_a_key_pair_shows_the_beginning_of_its_key_only() -> None:
    assert repr(KeyPair("AKIAEXAMPLE0", "s3cr3t")) == "<KeyPair AKIA…>"
    assert mask("short") == "…"
