"""Input that once was answered wrongly."""
import pytest


@pytest.fixture
def endpoint(api, app):
    return f"/app/{app['id']}/endpoint/" + api.new_endpoint(app, "http://127.0.0.1:9/")["id"]


def faults(api, method, path, **more):
    return [(".".join(fault["loc"]), fault["msg"]) for fault in api.expect(422, method, path, **more)["detail"]]


def test_header_name_that_is_cut_within_a_character_is_still_told(api, endpoint):
    """The list of faults was empty."""
    ((where, message),) = faults(api, "PUT", endpoint + "/headers", json={"headers": {"x" + "ü" * 200: "1"}})
    assert where == "body.headers" and "at most 256 characters" in message


def test_many_wrong_header_names_full_of_control_characters_are_no_500(api, endpoint):
    """Their escaped text did not fit into the answer."""
    names = [f"{a}{i:02}" + "\x01" * 300 for i in range(50) for a in "aA"]
    assert len(faults(api, "PUT", endpoint + "/headers", json={"headers": dict.fromkeys(names, "1")})) == 100


@pytest.mark.parametrize("body, message", [
    (rb'{"name":"a\u0000b"}', "must not have the character U+0000"),
    (rb'{"name":"a","metadata":{"a\u0000b":"c"}}', "must not have the character U+0000"),
    (rb'{"name":"a","throttleRate":123456789012345678901234567890}', "has a number that is too large"),
    (rb'{"name":"a","throttleRate":1e999}', "has a number that is too large"),
    (b'{"name":"a","metadata":' + b"[" * 3000 + b"]" * 3000 + b"}", "is nested too deeply"),
    (rb'{"name":"\ud800"}', "not valid JSON"),
    (b'{"name":"\xed\xa0\x80"}', "not valid JSON"),
    (b'{"name":"a"', "not valid JSON"),
])
def test_json_that_is_refused_is_not_called_invalid_when_it_is_valid(api, body, message):
    ((where, told),) = faults(api, "POST", "/app", content=body)
    assert where == "body" and told.startswith(message)


def test_more_event_types_than_a_filter_can_have_are_refused_and_not_forgotten(api, app):
    names = [f"type.{n}" for n in range(65)]
    path = f"/app/{app['id']}/msg"
    assert api.get(path, params={"event_types": ",".join(names[:64])}).status_code == 200
    for given in (",".join(names), names):
        assert faults(api, "GET", path, params={"event_types": given}) == [("query.event_types", "has to have at most 64 names")]
    assert api.get(path, params={"event_types": ""}).status_code == 200


def test_faults_in_long_places_do_not_fail_a_batch_that_was_taken(api, app):
    """Their escaped text did not fit into the answer, which was a 500 after the other messages were stored."""
    kind = api.new_event_type(schemaValidation="enforce", schemas={"1": {"additionalProperties": {"type": "integer"}}})["name"]
    wrong = {"eventType": kind, "payload": {"\x01" * 1000: "no integer"}}
    answer = api.expect(202, "POST", f"/app/{app['id']}/msg/batch", json={"messages": [wrong] * 20 + [{"eventType": kind, "payload": {}}]})
    assert [entry["status"] for entry in answer["data"]] == [422] * 20 + [202]


def test_texts_of_a_megabyte_are_refused_before_a_list_of_them_is_a_500(api, app):
    """A page of applications with large metadata, and a tenant with a long name, could not be shown any more."""
    large = {"key": "x" * 65600}
    for method, path, body in (("POST", "/app", {"name": "a"}), ("PUT", f"/app/{app['id']}", {"name": "a"}), ("PATCH", f"/app/{app['id']}", {}),
                               ("POST", f"/app/{app['id']}/endpoint", {"url": "http://127.0.0.1:9/"})):
        assert faults(api, method, path, json={**body, "metadata": large}) == [("body.metadata", "has to have at most 65536 bytes as JSON")]
    ((where, _),) = faults(api, "POST", "/app", json={"name": "x" * 1025})
    assert where == "body.name"
    ((where, _),) = faults(api, "PATCH", "/tenant", json={"name": "x" * 20000})
    assert where == "body.name"


def test_a_full_page_of_the_largest_applications_is_shown(server):
    _, key = server.new_tenant("large")
    with server.api(key) as api:
        for _ in range(20):
            api.new_app(name="\x01" * 1024, metadata={"k": "\x01" * 10900})
        assert len(api.expect(200, "GET", "/app", params={"limit": 20})["data"]) == 20


def test_a_path_with_a_very_long_name_of_a_message_does_not_end_the_server(api, app):
    """A buffer for names of at most 256 characters was asserted to be enough."""
    api.expect(404, "DELETE", f"/app/{app['id']}/msg/{'x' * 8000}/content")
    api.expect(404, "GET", f"/app/{app['id']}/msg/{'x' * 8000}")
