"""The contract between drivers and transports, and where a second one finds what it needs.

A transport makes one exchange at a time and does not depend on ops. A driver runs ops on any transport and does not
depend on HTTP. Ops are the same for all drivers.

A transport promises:

- `send` returns a response of any status. It raises `TransportError` if there is none or its body is incomplete, with
  the phase, the bytes moved and the seconds spent, and an error of the caller's own file as itself. It never retries
  and never follows a redirect.
- A sink is filled from its start, by a 200 or 206 only. With `digest` the bytes that move are hashed, either way. A
  hash as `digest` is continued by a copy: `Response.hashed`, or `TransportError.hashed` after `received` bytes.
- Credentials go to the endpoint only. No message, log line or frame holds a credential or a pre-signed URL.
- `send` ends within the seconds of the request, and of `within`. Once `scope` is cancelled, it ends soon and raises
  `Cancelled`, and nothing is written to the sink after that.
- It is thread-safe, fork-safe, and usable again after `close`.
- If many requests at a time are cheaper than each by itself, it has `send_many`, for requests that are under way at the
  same time. Each gets what `send` would give it, or raise; a write among them is as durable, and as alone.
- If it can make many exchanges on one thread, it has `has_multi`, `open_multi` and `keep_multi` (`lane.Lanes`), by
  which a driver runs a whole Gather on the calling thread. Only what is safe to repeat and small goes that way: the
  peer may get such a request twice.
- If it has a network, its `address` is scheme, host and port of the endpoint, for logs and spans.

A driver promises, for each effect of `ops.effects`:

- `Send`, `Sleep`, `Once`: what their docstrings say. What a transport raises is thrown into the op.
- `SendAll`: by `send_many` where the transport has it, else one after the other. What `send` would raise is the outcome
  of its request, and so is a deadline that has expired.
- `Now`: the wall clock. `Call`: the function's result; a driver on an event loop calls it off the loop.
- `Gather`: `gather(...)`, which a driver may do in its own way. It reads ops as slots become free, calls `on_result` on
  the calling thread or loop, returns results in the order of the ops, and ends all ops when one fails, when `on_result`
  raises, or when the iterable does: running ops get an interruption and are waited for. Then the first error is raised.
- Where a transport has `send_many`, a Gather sends by it what its ops ask for at the same time. Where it has
  `open_multi`, a Gather runs on one thread: the calling one, or another one if that has an event loop.
- An interruption is thrown into the op, whose further effects are limited to `deadlines.UNWINDING_SECONDS` together. An
  op cannot hide it.
- `run` and `pages` hold the deadline of the whole call, over all effects.

A second transport or driver finds the following, and writes none of it again:

- `body`: bodies, sinks, size limits. `BodyReader` serves a read callback, `receiver` a write callback. What they raise
  of the request's own file is an `OwnFileError`: its cause is what `send` raises.
- `hashing`: MD5 on a thread beside a large transfer.
- `route`: `Route.target` before connecting, `Target.guard` with the address of the peer, `Route.proxy`.
- `deadlines`: `Bounds`, the timeouts of one exchange, and what a call's deadline leaves.
- `reply`: `read_head` reads a response's head within limits, from any buffered stream; `parse_headers` from lines.
- `framing`: where a body ends, by its length or by its chunks. What follows belongs to no request.
- `failures`: the kinds of failures, each in one wording.
- `telemetry`: a driver takes its `send` from `sender`, so that every exchange is logged and traced in one place.
- `scope`, `forks`, `workers`: cancellation, fork safety, threads.

A driver that runs a Gather in its own way derives from `blocking.Blocking` or `aio.Aio` and overrides `gather`; all
other effects stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport.scope import Scope


class Transport(Protocol):
    """Makes exchanges; see the contract above.

    Attributes:
        fan_out: Maximum number of concurrent exchanges that is worthwhile; 1 in process.
    """

    fan_out: int

    def send(self, request: Request, scope: Scope | None = None, within: float | None = None) -> Response:
        """Make one exchange.

        Args:
            request: What to send.
            scope: Lets another thread end the exchange.
            within: Time limit in seconds. Defaults to the request's own.

        Raises:
            TransportError: There is no response, or its body is incomplete.
            Cancelled: `scope` was cancelled.
        """
        ...

    def close(self) -> None:
        """Close what can be opened again; a later `send` does so."""
        ...


#: What became of a request: its response, or what `send` would have raised.
Outcome: TypeAlias = "Response | Exception"


class SendMany(Protocol):
    """The method `send_many` of a transport that has one."""

    def __call__(
        self, requests: Sequence[Request], scope: Scope | None = None, within: float | None = None, /
    ) -> list[Outcome]: ...
