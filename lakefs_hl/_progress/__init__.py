"""Progress of transfers: events for listeners of the caller, and bars.

Rules of the room: nothing here raises into a transfer, whatever a listener or a terminal does. It is the only room
besides `cli` that writes to the terminal, to stderr. `choosing.progress_of` turns the argument `progress=` into a
`Progress`, which a transfer calls from any of its threads.
"""

from lakefs_hl._progress.choosing import progress_of as progress_of
from lakefs_hl._progress.events import Progress as Progress
