"""The version, written once: the build reads it from here, and so does `lakefs_hl.__version__`. Imports nothing."""

__version__ = "0.1.0"
