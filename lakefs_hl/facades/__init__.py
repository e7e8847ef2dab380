"""Facades: calls of the package in the terms of other tools. `aio/` is the source of both colours.

Rules of the room: it imports public names of the package, and `_progress`. `_sync/` is generated from `aio/`, except
`threads` and `background`, which are written by hand in both. Modules beside the two directories are shared by both
colours.
"""
