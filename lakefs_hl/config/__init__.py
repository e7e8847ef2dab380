"""Configuration of a client: its options, and where each one is looked up.

Rules of the room: the only reader of the environment and of the home directory; no network; no secret in any message.
An option is described once, by its field of `options.ClientOptions`.
"""
