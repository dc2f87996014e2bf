"""Applications over HTTP: /app and /app/{app_id}, authentication, and what every operation has in common."""
import threading

import pytest
from client import Api, unique


def detail_of(response):
    body = response.json()
    return {(fault["loc"][-1], fault["type"]) for fault in body["detail"]}


def test_create_get_and_delete(api):
    uid = unique("uid")
    made = api.expect(201, "POST", "/app", json={
        "name": "Café", "uid": uid, "throttleRate": 7, "metadata": {"plan": "gold", "a": ""}})
    assert made["id"].startswith("app_") and len(made["id"]) == 26
    assert made["createdAt"] == made["updatedAt"] and made["createdAt"].endswith("Z")
    assert {k: made[k] for k in ("name", "uid", "throttleRate", "metadata")} == {
        "name": "Café", "uid": uid, "throttleRate": 7, "metadata": {"plan": "gold", "a": ""}}
    assert api.expect(200, "GET", f"/app/{made['id']}") == made
    assert api.expect(200, "GET", f"/app/{uid}/") == made
    assert api.expect(204, "DELETE", f"/app/{uid}") is None
    missing = api.expect(404, "GET", f"/app/{made['id']}")
    assert missing["code"] == "not_found" and missing["detail"]
    api.expect(404, "DELETE", f"/app/{made['id']}")
    api.new_app(uid=uid)  # a deleted uid is free again


def test_defaults(api):
    made = api.new_app(name="only a name")
    assert made["uid"] is None and made["throttleRate"] is None and made["metadata"] == {}


@pytest.mark.parametrize("body, fault", [
    ({}, ("name", "value_error.missing")),
    ({"name": ""}, ("name", "value_error.any_str.min_length")),
    ({"name": None}, ("name", "type_error.str")),
    ({"name": "a", "uid": "has space"}, ("uid", "value_error.str.regex")),
    ({"name": "a", "uid": "app_x"}, ("uid", "value_error.str.regex")),
    ({"name": "a", "uid": "u" * 257}, ("uid", "value_error.str.regex")),
    ({"name": "a", "throttleRate": 0}, ("throttleRate", "value_error.number.not_ge")),
    ({"name": "a", "throttleRate": 65536}, ("throttleRate", "value_error.number.not_le")),
    ({"name": "a", "metadata": {"n": 1}}, ("metadata", "type_error.str")),
    ([], ("body", "type_error.dict")),
])
def test_wrong_fields_are_refused(api, body, fault):
    response = api.post("/app", json=body)
    assert response.status_code == 422
    assert detail_of(response) == {fault}


@pytest.mark.parametrize("content", [b"", b"{", b'{"name":"a"} x', b'{"name":"\xff"}', b'{"name":"a\\u0000"}'])
def test_malformed_json_is_refused(api, content):
    response = api.post("/app", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert detail_of(response) == {("body", "value_error.jsondecode")}


def test_a_taken_uid_conflicts_or_is_got(api):
    uid = unique("uid")
    made = api.new_app(uid=uid)
    conflict = api.expect(409, "POST", "/app", json={"name": "other", "uid": uid})
    assert conflict["code"] == "conflict"
    got = api.expect(200, "POST", "/app", params={"get_if_exists": "true"}, json={"name": "other", "uid": uid})
    assert got == made
    fresh = unique("uid")
    assert api.expect(201, "POST", "/app", params={"get_if_exists": "true"}, json={"name": "x", "uid": fresh})["uid"] == fresh
    api.expect(400, "POST", "/app", params={"get_if_exists": "maybe"}, json={"name": "x"})


def test_get_if_exists_makes_one_application_however_many_ask(server):
    uid, answers = unique("uid"), []

    def ask():
        with Api(server.url, server.api_key) as client:
            answers.append(client.post("/app", params={"get_if_exists": "true"}, json={"name": "x", "uid": uid}))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a.status_code for a in answers) == [200] * 11 + [201]
    assert len({a.json()["id"] for a in answers}) == 1


def test_put_replaces(api):
    made = api.new_app(uid=unique("uid"), metadata={"a": "1"}, throttleRate=5)
    put = api.expect(200, "PUT", f"/app/{made['id']}", json={"name": "new"})
    assert put == {**made, "name": "new", "uid": None, "metadata": {}, "throttleRate": None, "updatedAt": put["updatedAt"]}
    assert put["updatedAt"] >= made["updatedAt"] and put["createdAt"] == made["createdAt"]


def test_put_on_an_unknown_uid_creates(api):
    uid = unique("uid")
    made = api.expect(201, "PUT", f"/app/{uid}", json={"name": "first"})
    assert made["uid"] == uid
    again = api.expect(200, "PUT", f"/app/{uid}", json={"name": "second"})
    assert again["id"] == made["id"] and again["uid"] == uid and again["name"] == "second"
    moved = unique("uid")
    assert api.expect(200, "PUT", f"/app/{uid}", json={"name": "x", "uid": moved})["uid"] == moved
    api.expect(404, "GET", f"/app/{uid}")
    api.expect(404, "PUT", "/app/app_000000000000000000000A", json={"name": "x"})
    response = api.put("/app/has%20space", json={"name": "x"})
    assert response.status_code == 422 and detail_of(response) == {("app_id", "value_error.str.regex")}


def test_patch_changes_what_is_there(api):
    made = api.new_app(uid=unique("uid"), metadata={"a": "1"}, throttleRate=5)
    path = f"/app/{made['id']}"
    assert api.expect(200, "PATCH", path, json={"name": "new"})["name"] == "new"
    now = api.expect(200, "GET", path)
    assert now == {**made, "name": "new", "updatedAt": now["updatedAt"]}
    assert api.expect(200, "PATCH", path, json={"uid": None})["uid"] is None
    assert api.expect(200, "PATCH", path, json={"throttleRate": None})["throttleRate"] is None
    assert api.expect(200, "PATCH", path, json={"metadata": {"b": "2"}})["metadata"] == {"b": "2"}
    assert api.expect(200, "PATCH", path, json={})["name"] == "new"
    api.expect(422, "PATCH", path, json={"name": None})
    api.expect(404, "PATCH", "/app/nobody-knows-it", json={"name": "x"})
    taken = api.new_app(uid=unique("uid"))
    api.expect(409, "PATCH", path, json={"uid": taken["uid"]})
    api.expect(409, "PUT", path, json={"name": "x", "uid": taken["uid"]})


def test_lists_walk_forwards_and_back(server):
    _, key = server.new_tenant(unique("lists"))
    with Api(server.url, key) as api:
        empty = api.expect(200, "GET", "/app")
        assert empty == {"data": [], "iterator": None, "done": True}
        made = [api.new_app(name=f"n{i}") for i in range(5)]
        assert api.expect(200, "GET", "/app")["data"] == made
        first = api.expect(200, "GET", "/app", params={"limit": 2})
        assert first["data"] == made[:2] and not first["done"]
        assert first["iterator"] == made[1]["id"] and first["prevIterator"] == f"-{made[0]['id']}"
        second = api.expect(200, "GET", "/app", params={"limit": 2, "iterator": first["iterator"]})
        assert second["data"] == made[2:4] and not second["done"]
        third = api.expect(200, "GET", "/app", params={"limit": 2, "iterator": second["iterator"]})
        assert third["data"] == made[4:] and third["done"]
        back = api.expect(200, "GET", "/app", params={"limit": 2, "iterator": third["prevIterator"]})
        assert back["data"] == made[2:4] and not back["done"]
        back = api.expect(200, "GET", "/app", params={"limit": 2, "iterator": back["prevIterator"]})
        assert back["data"] == made[:2] and back["done"]
        down = api.expect(200, "GET", "/app", params={"limit": 2, "order": "descending"})
        assert down["data"] == made[:2:-1] and not down["done"]
        down = api.expect(200, "GET", "/app", params={"limit": 2, "order": "descending", "iterator": down["iterator"]})
        assert down["data"] == [made[2], made[1]]
        up = api.expect(200, "GET", "/app", params={"limit": 9, "order": "descending", "iterator": down["prevIterator"]})
        assert up["data"] == made[:2:-1] and up["done"]
        assert api.expect(200, "GET", "/app", params={"limit": 5})["done"]


@pytest.mark.parametrize("params, status", [
    ({"limit": 251}, 422), ({"limit": 0}, 422), ({"limit": "x"}, 400), ({"order": "up"}, 422), ({"iterator": "app_nope"}, 422)])
def test_wrong_list_parameters(api, params, status):
    api.expect(status, "GET", "/app", params=params)


def test_tenants_do_not_see_each_other(api, other):
    uid = unique("uid")
    mine = api.new_app(uid=uid)
    for name in (mine["id"], uid):
        other.expect(404, "GET", f"/app/{name}")
        other.expect(404, "PATCH", f"/app/{name}", json={"name": "theirs"})
        other.expect(404, "DELETE", f"/app/{name}")
    other.expect(404, "PUT", f"/app/{mine['id']}", json={"name": "theirs"})
    theirs = other.new_app(uid=uid)  # uids are per tenant
    assert theirs["id"] != mine["id"]
    assert mine["id"] not in [a["id"] for a in other.pages("/app")]
    other.expect(204, "DELETE", f"/app/{uid}")
    assert api.expect(200, "GET", f"/app/{uid}") == mine


def well_formed(last="A"):
    return "phk_" + "A" * 42 + last


@pytest.mark.parametrize("header", [
    None, "", "Bearer", "Basic YTpi", "Bearer nonsense", f"Bearer {well_formed()}", f"Bearer {well_formed('=')}"])
def test_wrong_credentials_are_refused(server, header):
    with Api(server.url, None) as nobody:
        headers = {"Authorization": header} if header is not None else {}
        response = nobody.get("/app", headers=headers)
        assert response.status_code == 401
        assert response.json()["code"] == "authentication_failed" and response.json()["detail"]
        assert response.headers["www-authenticate"] == "Bearer"
        assert nobody.post("/app", json={"name": "x"}, headers=headers).status_code == 401


def test_the_key_is_not_taken_from_another_place_or_in_another_shape(server):
    with Api(server.url, None) as nobody:
        for key in (server.api_key[:-1], server.api_key + "A", server.api_key.upper(), server.api_key.swapcase()):
            assert nobody.get("/app", headers={"Authorization": f"Bearer {key}"}).status_code == 401
        assert nobody.get("/app", headers={"Authorization": server.api_key}).status_code == 401
        assert nobody.get("/app", params={"api_key": server.api_key}).status_code == 401
        assert nobody.get("/app", headers={"Authorization": f"bearer   {server.api_key}"}).status_code == 200


def test_unknown_paths_and_methods(api):
    assert api.get("/nothing").json()["code"] == "not_found"
    api.expect(404, "GET", "/nothing")
    response = api.request("POST", "/app/x")
    assert response.status_code == 405 and response.json()["code"] == "method_not_allowed"
    assert set(response.headers["allow"].split(", ")) == {"GET", "PUT", "PATCH", "DELETE"}
    api.expect(400, "GET", "/app?limit=%zz")
    api.expect(404, "GET", "/app/%00")


def test_public_paths_need_no_key(server):
    with Api(server.url, None) as nobody:
        for path in ("/health", "/health/", "/health/ping"):
            response = nobody.get(path)
            assert response.status_code == 204 and response.content == b""
        metrics = nobody.http.get(f"{server.url}/metrics")
        assert metrics.status_code == 200 and metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "posthorn_http_requests_total" in metrics.text
        assert nobody.http.get(f"{server.url}/").json()["api"] == "/api/v1"


def test_answers_do_not_name_the_server(api):
    response = api.get("/app")
    assert "server" not in response.headers and response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(response.content))


@pytest.mark.parametrize("over", [1, 100_000])
def test_a_body_over_the_limit_is_refused(api, over):
    body = b'{"name":"' + b"a" * (1024 * 1024 + over - 11) + b'"}'
    assert len(body) == 1024 * 1024 + over
    response = api.post("/app", content=body)
    assert response.status_code == 413 and response.json()["code"] == "payload_too_large"


def test_a_name_has_up_to_1024_characters(api):
    name = "ü" * 1024
    made = api.new_app(name=name)
    assert made["name"] == name
    api.expect(204, "DELETE", f"/app/{made['id']}")
    api.expect(422, "POST", "/app", json={"name": name + "n"})
