"""The tests: a folder per room, a file per noun; shared pieces are imported as `tests.…`."""
