"""What the tests of the configuration share: a file of lakectl, variables, and what the chain makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lakefs_hl.config.credentials import Credentials
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.settings import Settings, resolve
from lakefs_hl.spec.secret import KeyPair

HOST = "https://lakefs.example"
SECRET = "SECRET-that-nobody-may-see"
REAL = {"LAKECTL_CREDENTIALS_ACCESS_KEY_ID": "AKIAREAL0000", "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": SECRET}
SEED = {"LAKECTL_ACCESS_KEY_ID": "AKIASEED0000", "LAKECTL_ACCESS_SECRET_KEY": SECRET}
FILE = f"""
server:
  endpoint_url: https://from.file/api/v1
credentials:
  access_key_id: AKIAFILE0000
  secret_access_key: {SECRET}
"""

DOTTED = f"""
server.endpoint_url: https://from.file
credentials.access_key_id: AKIAFILE0000
Credentials.SECRET_ACCESS_KEY: {SECRET}
"""
HALF_DOTTED = f"""
server: {{endpoint_url: https://from.file}}
credentials:
  access_key_id: AKIAFILE0000
credentials.secret_access_key: {SECRET}
"""

Write = Callable[..., Path]


def found(env: Mapping[str, str] | None = None, **arguments: Any) -> tuple[str, Credentials]:
    settled = resolve(ClientOptions(**arguments), env or {})
    return settled.endpoint, settled.credentials


def pair(kind: str) -> KeyPair:
    return KeyPair(f"AKIA{kind}0000", SECRET)


def settled(env: Mapping[str, str], **arguments: Any) -> Settings:
    return resolve(ClientOptions(host=HOST, access_token="t", **arguments), env)
