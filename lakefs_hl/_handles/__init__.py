"""Shared by the handles of both colours: records, identity, `repr`, and the calls, which turn arguments into ops.

Rules of the room: no request, no driver, no client. A face (`lakefs_hl.aio`, and `lakefs_hl._sync`, which is generated
from it) adds the methods that run a call. A call is a function of a session, a handle and the arguments of the method;
it checks the arguments, adds ids and times, and returns an op of `lakefs_hl.ops`.
"""
