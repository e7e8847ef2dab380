"""Objects as files, and any data as a body that can be sent twice.

Rules of the room: a reader is a `RawIOBase` under a `BufferedReader` (and a `TextIOWrapper`); a writer fills a spool
and publishes at `close()` only. An exception inside a `with` block, a finaliser and the end of the interpreter publish
nothing. An awaitable file is a blocking file that runs in a thread. Everything that may block (a disk, a pipe, the
caller's own `read()`) is called there. One thread at a time uses a file, whether its caller was cancelled or not.
"""
