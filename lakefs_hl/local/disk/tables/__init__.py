"""The rows of each table: the only place where their SQL stands, a module per table.

Rules of the room: plain functions that take a Reader or a Writer first, and take and give plain values or a NamedTuple;
what the values mean is the engine's business. A checksum is written with every row and held against it whenever the
row is read (`disk/sums.py`). A function that removes rows in pieces says how many it removed.
"""
