"""Objects: metadata, conditions, what is refused."""

from __future__ import annotations

from lakefs_hl.local.api import App
from lakefs_hl.spec import endpoints
from tests.local.api.support import ask, content, put, record


def test_metadata_headers(app: App) -> None:
    headers = {"x-lakefs-meta-a": "1", "x-lakefs-meta-": "2", "x-lakefs-internal-b": "3", "x-other": "4"}
    response = ask(app, endpoints.UPLOAD_OBJECT, query={"path": "x"}, headers=headers, body=b"x")
    assert record(response)["metadata"] == {"a": "1", "": "2", "::lakefs::b": "3"}
    assert record(response)["content_type"] == "application/octet-stream"
    bare = ask(app, endpoints.STAT_OBJECT, query={"path": "x", "user_metadata": "false"})
    assert record(bare)["metadata"] == {}
    page = ask(app, endpoints.LIST_OBJECTS, query={"user_metadata": "false"})
    assert "metadata" not in record(page)["results"][0]


def test_presign_is_refused(app: App) -> None:
    empty = ask(app, endpoints.LIST_OBJECTS, query={"presign": "true"})
    assert empty.status == 200
    put(app, "x", b"x")
    for row in (endpoints.STAT_OBJECT, endpoints.GET_OBJECT, endpoints.LIST_OBJECTS):
        response = ask(app, row, query={"path": "x", "presign": "true"})
        assert response.status == 400
        assert "operation not supported" in record(response)["message"]
        assert content(ask(app, row, query={"path": "x", "presign": "false"}))


def test_create_only(app: App) -> None:
    assert put(app, "x", b"1", if_none_match="*").status == 201
    second = put(app, "x", b"2", if_none_match="*")
    assert (second.status, record(second)) == (412, {"message": "path already exists"})
    assert content(ask(app, endpoints.GET_OBJECT, query={"path": "x"})) == b"1"


def test_an_upload_tells_the_md5_of_its_body_and_a_form_does_not(app: App) -> None:
    assert put(app, "x", b"hello world").md5 == "5eb63bbbe01eeed093cb22bb8f5acdc3"
    form = b'--x\r\ncontent-disposition: form-data; name="content"\r\n\r\nhello world\r\n--x--\r\n'
    response = put(app, "y", form, content_type="multipart/form-data; boundary=x")
    assert (response.status, response.md5) == (201, None)
    assert record(response)["checksum"] == "5eb63bbbe01eeed093cb22bb8f5acdc3"


def test_deleting_many_tells_what_was_refused(app: App) -> None:
    put(app, "x", b"x")
    response = ask(app, endpoints.DELETE_OBJECTS, body={"paths": ["x", "absent", ""]})
    assert [(one["path"], one["status_code"]) for one in record(response)["errors"]] == [("", 400)]
    assert ask(app, endpoints.STAT_OBJECT, query={"path": "x"}).status == 404
