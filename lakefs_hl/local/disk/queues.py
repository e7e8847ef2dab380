"""The queue that hands things from one thread to another.

gevent replaces `queue.SimpleQueue` by one for greenlets even where it leaves threads alone (`patch_all(thread=False)`),
and that one wakes no thread. Threads need the one that is C code, greenlets in the place of threads need gevent's.
"""

from __future__ import annotations

import _queue
import queue
import sys
from queue import Empty as Empty
from typing import TYPE_CHECKING, Any

_monkey: Any = sys.modules.get("gevent.monkey")  # never imported here: a program that patches has done so before

if TYPE_CHECKING or (_monkey is not None and _monkey.is_module_patched("threading")):
    SimpleQueue = queue.SimpleQueue
else:
    SimpleQueue = _queue.SimpleQueue
