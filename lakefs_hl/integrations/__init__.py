"""What references hand to the libraries that people bring: a module for each library, loaded when it is used.

Rules of the room: it stands on public names of the package, as facades do. `_handles.libraries` loads a module by its
name. A library of others is imported inside of a function, and a missing one is an ImportError that names the extra.
"""
