"""Directories of this machine, for both colours: what is in them, what of it is chosen, and safe ways to write to them.

Rules of the room: it knows no lake and sends no request. A path is relative to the root of a directory, with `/`
between its parts on every system. No symbolic link is followed, unless that was asked for and it leads to a place
inside the root. A file appears under its name when it is complete.
"""
