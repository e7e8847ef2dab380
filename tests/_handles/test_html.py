"""HTML for notebooks is escaped, and leaves out what is empty."""

from __future__ import annotations

from lakefs_hl._handles import html


def test_everything_is_escaped() -> None:
    shown = html.describe("<b>", "lakefs://a/<script>", {"<i>": "<script>"})
    assert "<script>" not in shown
    assert "<i>" not in shown
    assert "&lt;script&gt;" in shown


def test_empty_values_are_left_out() -> None:
    shown = html.table({"one": "1", "two": ""})
    assert "one" in shown
    assert "two" not in shown


def test_a_title_without_rows_has_no_table() -> None:
    assert html.describe("Branch", "lakefs://a/main/") == "<b>Branch</b> <code>lakefs://a/main/</code>"
    assert "<table>" in html.describe("Branch", "lakefs://a/main/", {})
