"""The embedded lake, put together: engine and api as a transport in this process, or behind a socket.

`connect` is found by name by the client when an endpoint is `local:PATH` or `mem://NAME`; `run_server` is the command
`lakefs-hl serve`.
"""

from __future__ import annotations

import _thread
import fcntl
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from lakefs_hl.local.api import App
from lakefs_hl.local.api.presign import Settings
from lakefs_hl.local.disk.layout import OBJECTS, TEMPORARY
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.keys import Keys, old_pair, replacing
from lakefs_hl.local.serve.access import DEFAULT, Access
from lakefs_hl.spec.errors import InvalidConfigError, LakeError
from lakefs_hl.spec.secret import KeyPair
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport.inproc import InProcess

_LOCAL: Final = "local:"
_MEMORY: Final = "mem://"
_FAST: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it, mode 0700

#: Name of a temporary lake's folder, and of the file in it that its process keeps locked.
_PREFIX: Final = "lakefs-hl-"
_LIFE: Final = "life"

_lock = threading.Lock()
_lives: dict[Path, int] = {}
_named: dict[str, Engine] = {}
_makers: list[tuple[Engine, int]] = []
#: What closes each lake that is open; a lake ends with its last user, or at the interpreter's exit.
_open: list[weakref.finalize[..., InProcess]] = []
#: What closes lakes whose users are gone, and for whose closing no thread could be started.
_left: list[Callable[[], None]] = []


class Started(NamedTuple):
    """A server that answers.

    Attributes:
        folder: The lake.
        url: Where it answers.
        key_file: Where its keys are.
    """

    folder: Path
    url: str
    key_file: Path


def connect(uri: str, committer: str, *, create: bool = True) -> InProcess:
    """Opens a lake in this process, as a transport.

    Args:
        uri: `local:PATH`, a folder that is made if it is not there; `mem://`, a lake of one's own that is gone with its
            last user; `mem://NAME`, shared by name within this process.
        committer: Whose name commits bear.
        create: Whether to make a lake where there is none.

    Returns:
        A transport to it.

    Raises:
        InvalidConfigError: The URI names no place, or a new lake in memory that must not be made.
        LakeError: The folder is no lake, or cannot be one; or there is none, and `create` is False.
    """
    if uri.startswith(_LOCAL):
        engine = Engine.open(folder_of(uri), create=create)
        end = engine.close
    elif uri == _MEMORY:
        if not create:
            msg = "mem:// always makes a new lake, which create=False forbids; name one that is there: mem://NAME"
            raise InvalidConfigError(msg)
        engine = _temporary()
        end = partial(_end, engine, os.getpid())
    elif uri.startswith(_MEMORY):
        engine = _shared(uri.removeprefix(_MEMORY), create=create)
        end = engine.close
    else:
        raise InvalidConfigError(f"{uri!r} names no lake: write local:PATH, mem:// or mem://NAME")
    app = App(engine, in_process=True, in_memory=not uri.startswith(_LOCAL))

    def call(request: Request) -> Response:
        return app(request, committer)

    def batch(requests: Sequence[Request]) -> Generator[tuple[int, Response | Exception], None, None]:
        return app.batch(requests, committer)

    transport = InProcess(call, batch=batch, directory=str(engine.folder))
    ending = weakref.finalize(transport, _collected, end)
    ending.atexit = False  # it would come before handlers that were registered earlier, and their calls would fail
    with _lock:
        _open[:] = [one for one in _open if one.alive]
        _open.append(ending)
    return transport


def close_all() -> None:
    """Close all lakes at the interpreter's exit; `lakefs_hl` registers it before any code of its users can."""
    for ending in reversed(_open):
        if (found := ending.detach()) is not None:  # a finalizer itself does nothing any more
            found[2][0]()
    for end in _left:
        end()
    for engine, maker in _makers:
        _end(engine, maker)


def _collected(end: Callable[[], None]) -> None:
    """Closes a lake whose last user is gone; called by the garbage collector, in the midst of anything.

    On the main thread it may wait for what another thread holds. Another thread may itself be what the holder of a lock
    is waiting for, such as the one that writes for the main thread: so it hands the closing to a new one.
    """
    if threading.current_thread() is threading.main_thread():
        end()
        return
    try:
        _thread.start_new_thread(end, ())  # `threading` has locks of its own, which this thread may hold
    except RuntimeError:  # there is none to be had: it stays open until the interpreter's exit
        _left.append(end)


def folder_of(uri: str) -> Path:
    """The absolute folder that a `local:` URI names.

    Raises:
        InvalidConfigError: It names none, or one by a shorthand that only a shell knows.
    """
    name = uri.removeprefix(_LOCAL).removeprefix("//")
    if not name:
        raise InvalidConfigError(f"{uri!r} names no folder: write local:./lake or local:/home/me/lake")
    if name.startswith("~"):
        raise InvalidConfigError(f"{uri!r}: write the folder in full, ~ is the shell's own shorthand")
    return Path(os.path.abspath(name))  # noqa: PTH100 - `resolve` would follow links, which may be moved under the lake


def _shared(name: str, *, create: bool) -> Engine:
    """A lake that lives as long as this process."""
    with _lock:
        engine = _named.get(name)
        if engine is None and not create:
            msg = f"{_MEMORY}{name} is no lake of this process, which shares none with others; share local:FOLDER"
            raise LakeError(msg)
        if engine is None:
            engine = _named[name] = _temporary()
            _makers.append((engine, os.getpid()))
        return Engine.open(engine.folder, sync=False)


def _temporary() -> Engine:
    """A lake in a folder of its own, without syncs; the folders of processes that were killed go first."""
    place = _FAST if _FAST.is_dir() else Path(tempfile.gettempdir())
    _sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    draft = folder / f"{_LIFE}.draft"
    life = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(life, fcntl.LOCK_EX)  # let go by the end of the process, however it ends
    draft.rename(folder / _LIFE)  # nobody ever sees it without its lock
    engine = Engine.open(folder / "lake", sync=False)
    _lives[engine.folder] = life
    return engine


def _sweep(place: Path) -> None:
    """Removes temporary lakes whose makers are dead: what nobody holds the lock of."""
    for life in place.glob(f"{_PREFIX}*/{_LIFE}"):
        try:
            held = os.open(life, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue  # another user's, or just removed
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(life.parent, ignore_errors=True)
        finally:
            os.close(held)


def _end(engine: Engine, maker: int) -> None:
    """Closes a temporary lake; the process that made it removes it, a child of that process does not."""
    engine.close()
    if os.getpid() == maker:
        shutil.rmtree(engine.folder.parent, ignore_errors=True)
        life = _lives.pop(engine.folder, None)
        if life is not None:
            os.close(life)


def run_server(
    lake: str | Path,
    access: Access = DEFAULT,
    *,
    import_roots: Sequence[str | Path] = (),
    presign: bool = False,
    keys: tuple[str, str] | None = None,
    announce: Callable[[Started], None] | None = None,
) -> bool:
    """Answers lakeFS's REST API for a lake until SIGINT or SIGTERM.

    Args:
        lake: Its folder; made if it is not there.
        access: Where to listen, and for whom.
        import_roots: Directories below which imports may read.
        presign: Whether clients may have pre-signed URLs and links, to read and to write without credentials.
        keys: The administrator's key pair from now on; None keeps it, or draws one at the first start.
        announce: Called once, when requests are answered.

    Returns:
        Whether all requests ended. If not, the lake was left as a crash would leave it, which harms nothing, because
        threads are still at work in it; the process should end at once.

    Raises:
        InvalidConfigError: The address cannot be had, or needs further options; or an import root is no directory.
        LakeError: The folder is no lake; or the extra `serve` is not installed.
    """
    try:
        from lakefs_hl.local.serve import keyfile
        from lakefs_hl.local.serve.origins import parse
        from lakefs_hl.local.serve.server import HttpServer
    except ModuleNotFoundError as exc:
        raise LakeError(f"serving a lake needs {exc.name}: pip install 'lakefs-hl[serve]'") from None
    access.address()  # what cannot be served makes no lake
    access.context()
    for origin in access.origins:
        parse(origin)
    if access.origins and not presign:
        raise InvalidConfigError("--allow-origin is for links, and needs --presign")
    roots = tuple(Path(os.path.realpath(root)) for root in import_roots)
    for root in roots:
        if not root.is_dir():
            raise InvalidConfigError(f"--import-root {root}: is not a directory")
    folder = Path(os.path.abspath(lake))  # noqa: PTH100 - as in `folder_of`
    engine = Engine.open(folder, import_roots=roots)
    ended = True
    try:
        signing = Settings(access.scheme, access.largest) if presign else None
        app = App(engine, import_roots=roots, signing=signing)
        server = HttpServer(app, folder / OBJECTS / TEMPORARY, access)
        pair = _install(app.keys, engine, None if keys is None else KeyPair(*keys))
        with replacing(os.fspath(folder / keyfile.NAME)):
            path = keyfile.write(folder, pair, server.url)
        started = Started(folder, server.url, path)
        ended = server.run(None if announce is None else lambda: announce(started))
    finally:
        if ended:
            engine.close()
    return ended


def _install(keys: Keys, engine: Engine, given: KeyPair | None) -> KeyPair:
    """The administrator's pair; that of a lake of format 1 is taken over if its secret is still known."""
    from lakefs_hl.local.serve import keyfile

    old = None
    hashes = engine.old_keys()
    if hashes and given is None and not keys.has_admin():  # it may have others, which were made in its directory
        old = old_pair(hashes, keyfile.read(engine.folder))
    key = keys.install(given, old)
    if hashes:
        engine.drop_old_keys()
    return KeyPair(key.access_key_id, key.secret_access_key)
