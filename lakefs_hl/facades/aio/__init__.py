"""The awaitable facades, and the source of the blocking ones."""
