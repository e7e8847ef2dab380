"""Requests and bytes of the same reads by lakefs_hl, s3fs and lakefs-spec, on one lakeFS server.

    python benchmarks/reads.py [--rivals PYTHON]

A proxy on the loopback interface is in front of the server and counts, so that all three are counted alike: what it
passes on, and the bytes of the responses' bodies. Each read has a new file system, in a process of its own for each
library. `--rivals` names a Python that has s3fs, lakefs-spec, pandas, pyarrow and duckdb, by default this one.
The server is that of LAKEFS_HL_TEST_ENDPOINT and its keys.
"""

from __future__ import annotations

import argparse
import http.client
import importlib
import json
import os
import secrets
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

#: Path of the proxy that returns what was counted since the last time.
COUNTS = "/-/counts"
#: Module and class of each file system.
SYSTEMS = {
    "lakefs_hl": ("lakefs_hl.filesystem", "LakeFSFileSystem"),
    "s3fs": ("s3fs", "S3FileSystem"),
    "lakefs-spec": ("lakefs_spec", "LakeFSFileSystem"),
}
KINDS = tuple(SYSTEMS)


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on as they are, with their `Host`, which signatures include."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    lock = threading.Lock()
    seen: list[tuple[str, int]] = []  # noqa: RUF012 - of the process

    def pass_on(self) -> None:
        """Pass a request on, and count it."""
        if self.path == COUNTS:
            with self.lock:
                found = json.dumps(self.seen).encode()
                self.seen.clear()
            self.answer(200, [("Content-Length", str(len(found)))], found)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        there = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=60)
        there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "expect"):
                there.putheader(name, value)
        there.endheaders(body or None)
        response = there.getresponse()
        content = response.read()
        with self.lock:
            self.seen.append((f"{self.command} {self.path}", len(content)))
        kept = [
            (name, value)
            for name, value in response.getheaders()
            if name.lower() not in ("transfer-encoding", "connection", "content-length")
        ]
        length = response.headers.get("Content-Length") if self.command == "HEAD" else str(len(content))
        self.answer(response.status, [*kept, ("Content-Length", length or "0")], content)
        there.close()

    def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        """Send a response."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = pass_on  # noqa: N815 - names of the base class
    do_HEAD = pass_on  # noqa: N815
    do_POST = pass_on  # noqa: N815

    def log_message(self, *arguments: Any) -> None:
        """Print nothing."""


# -- the reads ---------------------------------------------------------------------------------------------------------


def file_system(kind: str, endpoint: str, key: str, secret: str) -> tuple[Any, str, dict[str, Any]]:
    """Return a new file system, the scheme of its URLs and the `storage_options` that name the server."""
    options: dict[str, Any] = {"host": endpoint, "username": key, "password": secret}
    if kind == "s3fs":
        options = {
            "key": key,
            "secret": secret,
            "endpoint_url": endpoint,
            "client_kwargs": {"region_name": "us-east-1"},
            "config_kwargs": {
                "s3": {"addressing_style": "path"},
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            },
        }
    module, name = SYSTEMS[kind]
    system = getattr(importlib.import_module(module), name)
    return system(**options, skip_instance_cache=True), "s3" if kind == "s3fs" else "lakefs", options


def jobs(root: str) -> dict[str, Callable[[Any, str, dict[str, Any]], Any]]:
    """Return the reads: functions of a file system, a scheme and options. `root` is `repository/reference`."""
    import duckdb
    import pandas as pd
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    def url(scheme: str, path: str) -> str:
        return f"{scheme}://{root}/{path}"

    def sql(fs: Any, text: str) -> Any:
        with duckdb.connect() as con:
            con.register_filesystem(fs)
            return con.execute(text).fetchone()[0]

    def by_url(read: Any, path: str, **given: Any) -> Callable[[Any, str, dict[str, Any]], Any]:
        def run(fs: Any, scheme: str, options: dict[str, Any]) -> Any:
            type(fs).clear_instance_cache()
            return len(read(url(scheme, path), storage_options=options, **given))

        return run

    return {
        "pandas: small Parquet file": by_url(pd.read_parquet, "small.parquet"),
        "pandas: Parquet file": by_url(pd.read_parquet, "wide.parquet"),
        "pandas: 1 of 8 columns": by_url(pd.read_parquet, "wide.parquet", columns=["c3"]),
        "pandas: directory of 3 files": by_url(pd.read_parquet, "years"),
        "pandas: 1 of 3 partitions": by_url(pd.read_parquet, "years", filters=[("year", "=", 2026)]),
        "pandas: CSV": by_url(pd.read_csv, "t.csv"),
        "pyarrow: 1 of 3 partitions": lambda fs, *_: (
            ds.dataset(f"{root}/years", filesystem=fs, partitioning="hive")
            .to_table(filter=ds.field("year") == 2026)
            .num_rows
        ),
        "pyarrow: 1 of 10 row groups": lambda fs, *_: (
            pq.ParquetFile(f"{root}/wide.parquet", filesystem=fs).read_row_group(9, columns=["c1"]).num_rows
        ),
        "duckdb: sum of a column": lambda fs, scheme, _: sql(
            fs, f"SELECT count(c2) FROM '{url(scheme, 'wide.parquet')}'"
        ),
        "duckdb: filter on row groups": lambda fs, scheme, _: sql(
            fs, f"SELECT count(*) FROM '{url(scheme, 'wide.parquet')}' WHERE id < 100 AND c2 >= 0"
        ),
        "duckdb: glob of 3 files": lambda fs, scheme, _: sql(
            fs, f"SELECT count(*) FROM '{url(scheme, 'years/*/*.parquet')}'"
        ),
    }


def work(kind: str, endpoint: str, key: str, secret: str, root: str) -> None:
    """Do all reads, and print what each one cost, as JSON."""
    found = {}
    for name, job in jobs(root).items():
        fs, scheme, options = file_system(kind, endpoint, key, secret)
        counts(endpoint)
        result = job(fs, scheme, options)
        found[name] = {"result": result, "seen": counts(endpoint)}
    print(json.dumps(found))


def counts(endpoint: str) -> Any:
    with urllib.request.urlopen(endpoint + COUNTS, timeout=30) as response:
        return json.load(response)


# -- the table ---------------------------------------------------------------------------------------------------------


def prepare(endpoint: str, key: str, secret: str, *, pinned: bool) -> str:
    """Write the tables to a new repository, and return `repository/reference` of them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    import lakefs_hl

    client = lakefs_hl.Client(endpoint, key, secret)
    name = f"requests-{secrets.token_hex(4)}"
    namespace = os.environ.get("LAKEFS_HL_TEST_STORAGE_NAMESPACE") or client.storage_config.default_namespace_prefix
    assert namespace, "LAKEFS_HL_TEST_STORAGE_NAMESPACE names where new repositories are"
    repository = lakefs_hl.repository(name, client=client)
    prefix = namespace if namespace.endswith("/") else f"{namespace}/"
    branch = repository.create(prefix + name).branch("main")
    drawn, rows = np.random.default_rng(1), 120_000
    wide = pa.table({"id": np.arange(rows), **{f"c{n}": drawn.random(rows) for n in range(7)}})
    files = branch.arrow_filesystem()
    pq.write_table(wide, "wide.parquet", filesystem=files, row_group_size=rows // 10)
    pq.write_table(wide.slice(0, 100), "small.parquet", filesystem=files)
    years = wide.select(["id", "c0"]).append_column("year", pa.array(np.repeat([2024, 2025, 2026], rows // 3)))
    ds.write_dataset(
        years, "years", filesystem=files, format="parquet", partitioning=["year"], partitioning_flavor="hive"
    )
    branch.upload("a,b\n" + "1,2\n" * 20_000, "t.csv")
    return f"{name}/{branch.commit_changes('tables').id if pinned else 'main'}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rivals", default=sys.executable, help="Python with s3fs and lakefs-spec")
    parser.add_argument("--commit", action="store_true", help="read at a commit instead of a branch")
    parser.add_argument("--verbose", action="store_true", help="print each request")
    given = parser.parse_args()
    names = ("ENDPOINT", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    upstream, key, secret = (os.environ[f"LAKEFS_HL_TEST_{name}"] for name in names)
    Proxy.upstream = upstream
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{proxy.server_port}"
    root = prepare(upstream, key, secret, pinned=given.commit)
    found = {}
    for kind in KINDS:
        python = sys.executable if kind == "lakefs_hl" else given.rivals
        command = [python, __file__, "--work", kind, endpoint, key, secret, root]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=300)
        found[kind] = json.loads(done.stdout.splitlines()[-1])
    proxy.shutdown()
    print(f"{'read':32}" + "".join(f"{kind:>24}" for kind in KINDS) + "   (requests, KiB)")
    worse = 0
    for name in found[KINDS[0]]:
        rows = [found[kind][name] for kind in KINDS]
        assert len({row["result"] for row in rows}) == 1, (name, rows)
        totals = [(len(row["seen"]), sum(size for _, size in row["seen"]) / 1024) for row in rows]
        worse += totals[0][0] > min(total[0] for total in totals[1:])
        print(f"{name:32}" + "".join(f"{number:>12,}{size:>12,.0f}" for number, size in totals))
        if given.verbose:
            for kind, row in zip(KINDS, rows, strict=True):
                for request, size in row["seen"]:
                    print(f"    {kind:12} {size:>10,} {request[:150]}")
    print(f"reads for which lakefs_hl sends more requests than another: {worse}")
    return 1 if worse else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(*sys.argv[2:])
    else:
        sys.exit(main())
