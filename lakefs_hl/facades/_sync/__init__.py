"""The blocking facades, generated from `lakefs_hl.facades.aio`."""
