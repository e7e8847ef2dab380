"""lakeFS's REST API as a function: a request and who asks, to an answer.

Rules of the room: no sockets, no URLs, no files of its own. What a request must look like is checked here, as lakeFS's
schema layer does before its handlers run; what it means is the engine's. One module per tag of the API.
"""

from __future__ import annotations

from lakefs_hl.local.api.app import App as App
