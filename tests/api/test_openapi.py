"""GET /openapi.json, and the check that holds the answer to every request of a test against it."""
import re

import contract
import httpx
import pytest
from client import Api, unique

APP = {"id": "app_0123456789abcdefghijkl", "uid": None, "name": "x", "throttleRate": None, "metadata": {},
       "createdAt": "2026-11-24T09:30:00.000Z", "updatedAt": "2026-11-24T09:30:00.000Z"}


@pytest.fixture
def nobody(server):
    with Api(server.url, None) as client:
        yield client


def test_the_document_is_served_to_everybody(nobody):
    response = nobody.get("/openapi.json")
    assert response.status_code == 200 and response.headers["content-type"] == "application/json"
    assert response.json() == contract.load().document


def test_it_is_not_sent_to_who_has_it(nobody):
    etag = nobody.get("/openapi.json").headers["etag"]
    assert etag.startswith('"') and etag.endswith('"') and len(etag) > 20
    for known in (etag, "*", f'"other", {etag}', f"W/{etag}", f'"other",{etag} , "more"'):
        response = nobody.get("/openapi.json", headers={"If-None-Match": known})
        assert response.status_code == 304 and response.content == b"" and response.headers["etag"] == etag, known
    for other in ('"other"', etag.strip('"'), "", f'{etag[:-1]}x"', "W/"):
        assert nobody.get("/openapi.json", headers={"If-None-Match": other}).status_code == 200, other


def test_the_index_names_it(server, nobody):
    assert nobody.http.get(server.url + "/").json()["openapi"] == "/api/v1/openapi.json"


def test_the_metrics_are_as_it_says(server, nobody):
    contract.check(nobody.http.get(server.url + "/metrics"))


def test_every_operation_answers_at_its_path(api):
    """Whoever adds an operation to the table has to have a handler that the document describes."""
    nothing = unique("nothing")
    for method, template in contract.load().operations:
        if template.startswith("/api/v1/") and not template.endswith("/tail"):  # which does not end
            response = api.request(method, re.sub(r"{\w+}", nothing, template.removeprefix("/api/v1")), content=b"[")
            expected = (403,) if template.endswith("/logout") else (200, 204, 404, 422)
            assert response.status_code in expected, (method, template)


def answer(status, body, method="GET", path="/api/v1/app/x", request=None, kind="application/json"):
    return httpx.Response(status, json=body if kind == "application/json" else None, headers={"Content-Type": kind},
                          request=httpx.Request(method, "http://127.0.0.1" + path, json=request))


def test_every_client_checks(api, other, nobody):
    assert api._check is other._check is nobody._check is contract.check


@pytest.mark.parametrize("response", [
    answer(200, APP), answer(200, APP, path="/api/v1/app/x/"), answer(201, APP, "POST", "/api/v1/app", {"name": "x", "more": 1}),
    answer(404, {"code": "not_found", "detail": "x"}), answer(404, {"code": "not_found", "detail": "x"}, path="/api/v1/nowhere"),
    answer(405, {"code": "method_not_allowed", "detail": "x"}, "POST"),
])
def test_the_check_is_content(response):
    contract.check(response)


@pytest.mark.parametrize("response", [
    answer(200, {**APP, "id": "app_short"}),
    answer(200, {**APP, "more": 1}),
    answer(200, {k: v for k, v in APP.items() if k != "uid"}),
    answer(200, {**APP, "createdAt": "yesterday"}),
    answer(200, {**APP, "metadata": {"n": 1}}),
    answer(201, APP),
    answer(204, APP, "DELETE"),
    answer(200, None, kind="text/plain"),
    answer(404, {"detail": "x"}),
    answer(404, {"code": "not_found", "detail": "x", "more": 1}),
    answer(500, {"error": "x"}),
    answer(502, {"code": "internal_error", "detail": "x"}),
    answer(200, APP, path="/api/v1/nowhere"),
    answer(201, APP, "POST", "/api/v1/app", {"name": ""}),
    answer(422, {"detail": []}, "POST", "/api/v1/app"),
    answer(200, {"data": [{**APP, "more": 1}], "iterator": None, "done": True}, path="/api/v1/app"),
])
def test_the_check_finds_what_differs(response):
    with pytest.raises(AssertionError, match="is not as in the OpenAPI document"):
        contract.check(response)
