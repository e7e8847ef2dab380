"""Transfers of directories and of many objects, for both colours: plans, resume, reports.

A transfer runs on one thread: the calling one, or in asyncio one of an executor. It drives ops of `ops.bulk` over the
blocking driver (`_client._run_here`). What belongs to the caller's loop, such as asynchronous filters and bodies, is
called through a `caller.Caller`.
"""
