"""Objects as files, and any data as a body that can be sent twice.

Rules of the room: a reader is a `RawIOBase` under a `BufferedReader` (and a `TextIOWrapper`); a writer fills a spool
and publishes at `close()` only. An exception inside a `with` block, a finaliser or the end of the interpreter publish
nothing. An awaitable file is a blocking one, driven in a thread: whatever may wait (a disk, a pipe, the caller's own
`read()`) is called there, and one thread at a time has a file, cancelled or not.
"""
