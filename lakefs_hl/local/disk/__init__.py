"""Bytes at rest: SQLite, content-addressed files, locks. Knows no branch, imports nothing of ours."""
