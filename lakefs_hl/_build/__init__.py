"""Making a client, for both colours: from options to settings, session and transport.

Rules of the room: making a client sends nothing. `lake` is the one module that reaches the embedded lake, by name, and
only for `local:` and `mem:`. A secret argument is a `Secret` from the first line of the call that takes it (see
`arguments`), so that no frame of a traceback keeps it in the clear.
"""
