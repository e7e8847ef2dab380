"""One client does one piece of work in a process of its own: `python benchmarks/_client.py CLIENT ROW < job.json`.

Any Python that has the client can run this file: it imports the standard library only, and the client. It prints one
line of JSON with the seconds, the processor time of the process that did the work, and its memory. For a command
(lakectl, curl) that is the process of the command, from its start to its end.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

#: Bytes that a loop over files moves at a time.
BLOCK = 1 << 20
#: Content of a small object.
SMALL = b"-" * 1024


class Job:
    """The work. Attributes that a row does not need are empty.

    Attributes:
        endpoint: Address of the server.
        key: Access key.
        secret: Secret key.
        repository: Name of the repository, whose branch is `main`.
        prefix: Prefix of the objects, ending in a slash; or the path of the one object.
        source: Local file or directory to upload.
        target: Local file or directory to write.
        paths: Paths of objects to look up.
        warm: Path of an object that exists, for the first request.
        threads: Number of threads, workers or connections. 0 leaves it to the client.
        command: Path of the command.
        folder: An empty directory.
        storage_hosts: Hosts of the object store that pre-signed URLs may name.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        self.endpoint: str = given["endpoint"]
        self.key: str = given["key"]
        self.secret: str = given["secret"]
        self.repository: str = given["repository"]
        self.prefix: str = given.get("prefix", "")
        self.source = Path(given.get("source", ""))
        self.target = Path(given.get("target", ""))
        self.paths: list[str] = given.get("paths", [])
        self.warm: str = given.get("warm", "")
        self.threads: int = given.get("threads", 0)
        self.command: str = given.get("command", "")
        self.folder = Path(given.get("folder", ""))
        self.storage_hosts: list[str] = given.get("storage_hosts", [])

    def files(self) -> list[tuple[Path, str]]:
        """Return the files of the source, each with the path of its object."""
        found = [Path(at, name) for at, _, names in os.walk(self.source) for name in sorted(names)]
        return [(file, self.prefix + file.relative_to(self.source).as_posix()) for file in found]

    def target_of(self, path: str) -> Path:
        """Return the local file of an object, in a directory that exists."""
        file = self.target / path.removeprefix(self.prefix)
        file.parent.mkdir(parents=True, exist_ok=True)
        return file


Work = Callable[[], Any]


class Client:
    """A client. Each row is a method that returns the work, or None if the client cannot do it.

    What `prepare` and a method do is not measured; only the work is.
    """

    def __init__(self, job: Job) -> None:
        self.job = job

    def up_dir(self) -> Work | None:
        """Upload a directory."""

    def down_dir(self) -> Work | None:
        """Download a prefix to a directory."""

    def up_file(self) -> Work | None:
        """Upload a large file."""

    def down_file(self) -> Work | None:
        """Download a large object to a file."""

    def list(self) -> Work | None:
        """List all objects below a prefix. The work returns their number."""

    def stat_serial(self) -> Work | None:
        """Look up objects one after the other. The work returns their number."""

    def stat_bulk(self) -> Work | None:
        """Look up objects at once. The work returns their number."""

    def read_serial(self) -> Work | None:
        """Read small objects into memory, one after the other. The work returns their number."""

    def write_serial(self) -> Work | None:
        """Write small objects from memory, one after the other. The work returns their number."""


class Ours(Client):
    """This package as it is installed: with the extra `fast`, many objects take the fast lane."""

    fast = True
    verify = True

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        if not self.fast:
            sys.modules["pycurl"] = None  # type: ignore[assignment] # as if it were not installed
        lakefs = importlib.import_module("lakefs_hl")
        client = lakefs.Client(job.endpoint, job.key, job.secret, allowed_storage_hosts=job.storage_hosts)
        self.branch: Any = lakefs.repository(job.repository, client=client).branch("main")
        self.branch.stat_object(job.warm)

    def up_dir(self) -> Work | None:
        return lambda: self.branch.upload_dir(self.job.source, self.job.prefix, progress=False)

    def down_dir(self) -> Work | None:
        return lambda: self.branch.download_dir(self.job.prefix, self.job.target, progress=False)

    def up_file(self) -> Work | None:
        return lambda: self.branch.upload_file(self.job.source, self.job.prefix, verify=self.verify, progress=False)

    def down_file(self) -> Work | None:
        return lambda: self.branch.download_file(self.job.prefix, self.job.target, verify=self.verify, progress=False)

    def list(self) -> Work | None:
        return lambda: sum(1 for _ in self.branch.list_objects(prefix=self.job.prefix, delimiter=""))

    def stat_serial(self) -> Work | None:
        return lambda: len([self.branch.stat_object(path).size_bytes for path in self.job.paths])

    def stat_bulk(self) -> Work | None:
        return lambda: sum(found is not None for found in self.branch.stat_many(self.job.paths))

    def read_serial(self) -> Work | None:
        return lambda: len([self.branch.download(path) for path in self.job.paths])

    def write_serial(self) -> Work | None:
        return lambda: len([self.branch.upload(SMALL, path) for path in self.job.paths])


class OursThreads(Ours):
    """This package without the extra `fast`."""

    fast = False


class OursUnverified(Ours):
    """This package without comparing checksums: large files only."""

    verify = False
    up_dir = down_dir = list = stat_serial = stat_bulk = read_serial = write_serial = Client.up_dir


class OursAsync(Client):
    """This package in asyncio."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        import asyncio

        aio = importlib.import_module("lakefs_hl.aio")
        self.runner = asyncio.Runner()

        async def start() -> Any:
            client = aio.Client(job.endpoint, job.key, job.secret, allowed_storage_hosts=job.storage_hosts)
            branch = aio.repository(job.repository, client=client).branch("main")
            await branch.stat_object(job.warm)
            return branch

        self.branch = self.runner.run(start())

    def work(self, call: Callable[[], Any]) -> Work:
        async def run() -> Any:
            return await call()

        return lambda: self.runner.run(run())

    def up_dir(self) -> Work | None:
        return self.work(lambda: self.branch.upload_dir(self.job.source, self.job.prefix, progress=False))

    def down_dir(self) -> Work | None:
        return self.work(lambda: self.branch.download_dir(self.job.prefix, self.job.target, progress=False))

    def up_file(self) -> Work | None:
        return self.work(lambda: self.branch.upload_file(self.job.source, self.job.prefix, progress=False))

    def down_file(self) -> Work | None:
        return self.work(lambda: self.branch.download_file(self.job.prefix, self.job.target, progress=False))

    def list(self) -> Work | None:
        async def count() -> int:
            return len([1 async for _ in self.branch.list_objects(prefix=self.job.prefix, delimiter="")])

        return self.work(count)

    def stat_serial(self) -> Work | None:
        async def look() -> int:
            return len([(await self.branch.stat_object(path)).path for path in self.job.paths])

        return self.work(look)

    def stat_bulk(self) -> Work | None:
        async def look() -> int:
            return sum(found is not None for found in await self.branch.stat_many(self.job.paths))

        return self.work(look)


class Official(Client):
    """The official client `lakefs`: a loop, over threads for many objects."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        lakefs = importlib.import_module("lakefs")
        client = lakefs.client.Client(host=job.endpoint, username=job.key, password=job.secret)
        # without it, more than 10 threads close and open a connection for each request
        manager = client.sdk_client.objects_api.api_client.rest_client.pool_manager
        manager.connection_pool_kw["maxsize"] = max(job.threads, 1)
        self.branch: Any = lakefs.Repository(job.repository, client=client).branch("main")
        self.branch.object(job.warm).stat()

    def each(self, function: Callable[..., Any], items: Iterable[Any]) -> int:
        with ThreadPoolExecutor(self.job.threads) as pool:
            return sum(1 for _ in pool.map(function, items))

    def up_dir(self) -> Work | None:
        def one(pair: tuple[Path, str]) -> None:
            # told what to do: it would ask for the repository before each object
            self.branch.object(pair[1]).upload(data=pair[0].read_bytes(), mode="wb", pre_sign=False)

        return lambda: self.each(one, self.job.files())

    def down_dir(self) -> Work | None:
        def one(path: str) -> None:
            content = self.branch.object(path).reader(mode="rb", pre_sign=False).read()
            self.job.target_of(path).write_bytes(content)

        return lambda: self.each(one, (entry.path for entry in self.branch.objects(prefix=self.job.prefix)))

    def up_file(self) -> Work | None:
        def work() -> None:
            with self.job.source.open("rb") as file, self.branch.object(self.job.prefix).writer(mode="wb") as writer:
                while block := file.read(BLOCK):
                    writer.write(block)

        return work

    def down_file(self) -> Work | None:
        def work() -> None:
            with self.branch.object(self.job.prefix).reader(mode="rb") as reader, self.job.target.open("wb") as file:
                while block := reader.read(8 * BLOCK):
                    file.write(block)

        return work

    def list(self) -> Work | None:
        return lambda: sum(1 for _ in self.branch.objects(prefix=self.job.prefix))

    def stat_serial(self) -> Work | None:
        return lambda: len([self.branch.object(path).stat().size_bytes for path in self.job.paths])

    def stat_bulk(self) -> Work | None:
        return lambda: self.each(lambda path: self.branch.object(path).stat(), self.job.paths)

    def read_serial(self) -> Work | None:
        return lambda: len([self.branch.object(path).reader("rb", pre_sign=False).read() for path in self.job.paths])

    def write_serial(self) -> Work | None:
        return lambda: len(
            [self.branch.object(path).upload(SMALL, mode="wb", pre_sign=False) for path in self.job.paths]
        )


class FileSystem(Client):
    """A file system of fsspec, with the calls of fsspec."""

    module, name = "", ""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.fs: Any = getattr(importlib.import_module(self.module), self.name)(**self.options())
        self.root = f"{job.repository}/main/"
        self.fs.info(self.root + job.warm)

    def options(self) -> dict[str, Any]:
        return {"host": self.job.endpoint, "username": self.job.key, "password": self.job.secret}

    def up_dir(self) -> Work | None:
        return lambda: self.fs.put(f"{self.job.source}/", self.root + self.job.prefix, recursive=True)

    def down_dir(self) -> Work | None:
        return lambda: self.fs.get(self.root + self.job.prefix, f"{self.job.target}/", recursive=True)

    def up_file(self) -> Work | None:
        return lambda: self.fs.put_file(str(self.job.source), self.root + self.job.prefix)

    def down_file(self) -> Work | None:
        return lambda: self.fs.get_file(self.root + self.job.prefix, str(self.job.target))

    def list(self) -> Work | None:
        return lambda: len(self.fs.find(self.root + self.job.prefix))

    def stat_serial(self) -> Work | None:
        return lambda: len([self.fs.info(self.root + path)["size"] for path in self.job.paths])

    def stat_bulk(self) -> Work | None:
        def work() -> int:
            with ThreadPoolExecutor(self.job.threads) as pool:
                return sum(1 for _ in pool.map(lambda path: self.fs.info(self.root + path), self.job.paths))

        return work


class LakefsSpec(FileSystem):
    """lakefs-spec."""

    module, name = "lakefs_spec", "LakeFSFileSystem"


class S3fs(FileSystem):
    """s3fs on the S3 gateway."""

    module, name = "s3fs", "S3FileSystem"

    def options(self) -> dict[str, Any]:
        return {
            "key": self.job.key,
            "secret": self.job.secret,
            "endpoint_url": self.job.endpoint,
            "client_kwargs": {"region_name": "us-east-1"},
            "config_kwargs": {
                "s3": {"addressing_style": "path"},
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            },
        }


class Bare(Client):
    """A bare loop over urllib3 in threads, without checksums: what HTTP itself costs in Python."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        urllib3 = importlib.import_module("urllib3")
        self.headers = urllib3.make_headers(basic_auth=f"{job.key}:{job.secret}")
        self.pool: Any = urllib3.connection_from_url(job.endpoint, maxsize=max(job.threads, 1), headers=self.headers)
        self.ref = f"/api/v1/repositories/{job.repository}/refs/main/objects"
        self.branch = f"/api/v1/repositories/{job.repository}/branches/main/objects"
        self.stat(job.warm)

    def stat(self, path: str) -> int:
        return int(json.loads(self.ask(f"{self.ref}/stat?path={quote(path, safe='')}").data)["size_bytes"])

    def ask(self, url: str, **given: Any) -> Any:
        return checked(self.pool.urlopen("GET", url, headers=self.headers, retries=False, **given))

    def put(self, path: str, body: Any, size: int) -> int:
        headers = {**self.headers, "Content-Type": "application/octet-stream", "Content-Length": str(size)}
        url = f"{self.branch}?path={quote(path, safe='')}"
        return int(checked(self.pool.urlopen("POST", url, body=body, headers=headers, retries=False)).status)

    def pages(self, prefix: str) -> Iterable[list[Any]]:
        after = ""
        while True:
            query = urlencode({"prefix": prefix, "amount": 1000, "after": after})
            page = json.loads(self.ask(f"{self.ref}/ls?{query}").data)
            yield page["results"]
            if not page["pagination"]["has_more"]:
                return
            after = page["pagination"]["next_offset"]

    def each(self, function: Callable[..., Any], items: Iterable[Any]) -> int:
        with ThreadPoolExecutor(self.job.threads) as pool:
            return sum(1 for _ in pool.map(function, items))

    def up_dir(self) -> Work | None:
        def one(pair: tuple[Path, str]) -> None:
            body = pair[0].read_bytes()
            self.put(pair[1], body, len(body))

        return lambda: self.each(one, self.job.files())

    def down_dir(self) -> Work | None:
        def one(path: str) -> None:
            content = self.ask(f"{self.ref}?path={quote(path, safe='')}").data
            self.job.target_of(path).write_bytes(content)

        return lambda: self.each(one, (row["path"] for page in self.pages(self.job.prefix) for row in page))

    def up_file(self) -> Work | None:
        def work() -> None:
            with self.job.source.open("rb") as file:
                self.put(self.job.prefix, file, self.job.source.stat().st_size)

        return work

    def down_file(self) -> Work | None:
        def work() -> None:
            found = self.ask(f"{self.ref}?path={quote(self.job.prefix, safe='')}", preload_content=False)
            with self.job.target.open("wb") as file:
                while block := found.read(BLOCK):
                    file.write(block)
            found.release_conn()

        return work

    def list(self) -> Work | None:
        return lambda: sum(map(len, self.pages(self.job.prefix)))

    def stat_serial(self) -> Work | None:
        return lambda: len([self.stat(path) for path in self.job.paths])

    def stat_bulk(self) -> Work | None:
        return lambda: self.each(self.stat, self.job.paths)

    def read_serial(self) -> Work | None:
        return lambda: len([self.ask(f"{self.ref}?path={quote(path, safe='')}").data for path in self.job.paths])

    def write_serial(self) -> Work | None:
        return lambda: len([self.put(path, SMALL, len(SMALL)) for path in self.job.paths])


def checked(response: Any) -> Any:
    """Return a response that is a success."""
    if response.status not in {200, 201}:
        msg = f"HTTP {response.status}"
        raise RuntimeError(msg)
    return response


class Command(Client):
    """A command. Its work is a list of arguments, which is run as a process."""

    def run(self, *words: str, environ: dict[str, str] | None = None) -> int:
        """Run the command and return the number of lines that it printed."""
        output = self.job.folder / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [self.job.command, *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.PIPE,
                env={**os.environ, **(environ or {})},
            )
            assert process.stderr is not None
            errors = process.stderr.read()
            process.wait()
        if process.returncode:
            name, said = Path(self.job.command).name, errors[-500:].decode(errors="replace")
            msg = f"{name} ended with {process.returncode}: {said}"
            raise RuntimeError(msg.replace(self.job.secret, "…"))
        with output.open("rb") as file:
            return sum(1 for _ in file)


class Lakectl(Command):
    """The command line of lakeFS."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.uri = f"lakefs://{job.repository}/main/"
        self.environ = {
            "HOME": str(job.folder),
            "LAKECTL_SERVER_ENDPOINT_URL": job.endpoint,
            "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": job.key,
            "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": job.secret,
        }

    def fs(self, verb: str, *words: str) -> int:
        return self.run("fs", verb, *words, environ=self.environ)

    def parallel(self) -> tuple[str, ...]:
        return ("-p", str(self.job.threads))

    def up_dir(self) -> Work | None:
        words = ("-r", "--no-progress", "-s", f"{self.job.source}/", self.uri + self.job.prefix, *self.parallel())
        return lambda: self.fs("upload", *words)

    def down_dir(self) -> Work | None:
        words = ("-r", "--no-progress", self.uri + self.job.prefix, f"{self.job.target}/", *self.parallel())
        return lambda: self.fs("download", *words)

    def up_file(self) -> Work | None:
        return lambda: self.fs("upload", "--no-progress", "-s", str(self.job.source), self.uri + self.job.prefix)

    def down_file(self) -> Work | None:
        return lambda: self.fs("download", "--no-progress", self.uri + self.job.prefix, str(self.job.target))

    def list(self) -> Work | None:
        return lambda: self.fs("ls", "-r", self.uri + self.job.prefix)

    def stat_serial(self) -> Work | None:
        return lambda: sum(bool(self.fs("stat", self.uri + path)) for path in self.job.paths)


class Curl(Command):
    """Curl: each transfer is written to a file of settings, so that no key is among the arguments."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.ref = f"{job.endpoint}/api/v1/repositories/{job.repository}/refs/main/objects"
        self.branch = f"{job.endpoint}/api/v1/repositories/{job.repository}/branches/main/objects"

    def config(self, transfers: Iterable[list[str]]) -> Work:
        file = self.job.folder / "curlrc"
        always = [f'user = "{self.job.key}:{self.job.secret}"', "fail", "silent", "show-error"]
        with open(file, "w", opener=lambda path, flags: os.open(path, flags, 0o600), encoding="utf-8") as text:
            text.write("\nnext\n".join("\n".join([*always, *transfer]) for transfer in transfers) + "\n")
        words = ["--parallel", "--parallel-max", str(self.job.threads)] if self.job.threads else []
        return lambda: self.run(*words, "--config", str(file))

    def upload(self, file: Path, path: str) -> list[str]:
        return [
            f'url = "{self.branch}?path={quote(path, safe="")}"',
            f'upload-file = "{file}"',
            'request = "POST"',
            'header = "Content-Type: application/octet-stream"',
            'header = "Expect:"',
            'output = "/dev/null"',
        ]

    def download(self, path: str, file: Path) -> list[str]:
        return [f'url = "{self.ref}?path={quote(path, safe="")}"', f'output = "{file}"']

    def up_dir(self) -> Work | None:
        return self.config(self.upload(*pair) for pair in self.job.files())

    def down_dir(self) -> Work | None:
        return self.config(self.download(path, self.job.target_of(path)) for path in self.job.paths)

    def up_file(self) -> Work | None:
        return self.config([self.upload(self.job.source, self.job.prefix)])

    def down_file(self) -> Work | None:
        return self.config([self.download(self.job.prefix, self.job.target)])

    def stat_serial(self) -> Work | None:
        urls = (f'url = "{self.ref}/stat?path={quote(path, safe="")}"' for path in self.job.paths)
        config = self.config([[url, 'write-out = "\\n"'] for url in urls])
        return lambda: len(self.job.paths) if config() else 0

    stat_bulk = stat_serial


class Md5(Client):
    """MD5 of the file alone, in memory already: the least that verifying it costs."""

    def up_file(self) -> Work | None:
        def work() -> None:
            with self.job.source.open("rb", buffering=0) as file:
                hashlib.file_digest(file, "md5")

        return work

    down_file = up_file  # of the same file: `source` is set in both rows


CLIENTS: dict[str, type[Client]] = {
    "lakefs_hl": Ours,
    "lakefs_hl, aio": OursAsync,
    "lakefs_hl, threads": OursThreads,
    "lakefs_hl, verify=False": OursUnverified,
    "lakefs": Official,
    "lakefs-spec": LakefsSpec,
    "s3fs": S3fs,
    "lakectl": Lakectl,
    "curl": Curl,
    "urllib3": Bare,
    "md5": Md5,
}


def memory(name: str) -> int:
    """Return a figure of this process's memory in bytes, by its name in /proc. 0 where that is not known."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    return 0


def measure(client: Client, row: str) -> dict[str, Any]:
    """Do the work and return what it cost."""
    import resource

    work = getattr(client, row)()
    if work is None:
        return {"missing": "has no such call"}
    who = resource.RUSAGE_CHILDREN if isinstance(client, Command) else resource.RUSAGE_SELF
    base = memory("VmRSS")
    before = resource.getrusage(who)
    start = time.perf_counter()
    count = work()
    seconds = time.perf_counter() - start
    after = resource.getrusage(who)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if isinstance(client, Command):
        base, peak = 0, after.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    else:
        peak = memory("VmHWM")
    found = {"seconds": seconds, "cpu": cpu, "peak": peak, "base": base}
    lane = "lakefs_hl.transport.multi" in sys.modules
    return {**found, "count": count if isinstance(count, int) else -1, "lane": lane}


def choose_threads(client: Client, row: str, choices: list[int]) -> dict[str, Any]:
    """Return the number of threads with which the work is fastest, at its best of three times each."""
    seconds = dict[int, float]()
    for client.job.threads in [*choices, *reversed(choices), *choices]:
        found = measure(client, row)
        if "missing" in found:
            return found
        seconds[client.job.threads] = min(found["seconds"], seconds.get(client.job.threads, found["seconds"]))
    return {"threads": min(seconds, key=seconds.__getitem__)}


def main() -> None:
    """Measure one client in one row."""
    if sys.argv[1] == "versions":
        print(json.dumps({name: version_of(name) for name in sys.argv[2:]}))
        return
    given = json.load(sys.stdin)
    choices: list[int] = given.get("choices", [])
    job = Job({**given, "threads": max([given["threads"], *choices])})  # which sizes its pool of connections
    try:
        client = CLIENTS[sys.argv[1]](job)
    except ModuleNotFoundError as exc:
        print(json.dumps({"missing": f"not installed ({exc.name or exc})"}))
        return
    print(json.dumps(choose_threads(client, sys.argv[2], choices) if choices else measure(client, sys.argv[2])))
    sys.stdout.flush()
    os._exit(0)  # without the ends of event loops and pools of others


def version_of(name: str) -> str | None:
    """Return the version of an installed distribution."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
