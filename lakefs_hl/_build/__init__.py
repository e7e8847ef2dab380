"""Making a client: from arguments and configuration to a session and a transport.

Rules of the room: shared by both colours; the only room besides `config` that knows options, and the only one that
reaches the embedded lake, by name.
"""
