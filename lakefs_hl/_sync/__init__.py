"""The blocking faces, generated from `lakefs_hl.aio` by `tools/unasync.py`; `default`, `fileio` and `lazy` by hand.

Private: their names are public in `lakefs_hl`.
"""
