"""Event types: create, revive, replace, patch, archive, expunge, list."""
import pytest
from client import unique

SCHEMA = {"1": {"type": "object", "properties": {"total": {"type": "number"}}}}


@pytest.fixture
def name():
    return unique("invoice.paid")


@pytest.fixture
def own(server):
    """A client of a tenant of this test alone, whose list of event types is empty."""
    with server.api(server.new_tenant("of one test")[1]) as client:
        yield client


def names(api, **params):
    return [t["name"] for t in api.pages("/event-type", **params)]


def test_create_and_get(api, name):
    made = api.expect(201, "POST", "/event-type",
                      json={"name": name, "description": "Paid.", "schemas": SCHEMA, "featureFlag": "beta", "deprecated": True})
    assert made["name"] == name and made["description"] == "Paid." and made["schemas"] == SCHEMA
    assert made["featureFlag"] == "beta" and made["deprecated"] is True and made["archived"] is False
    assert made["createdAt"] == made["updatedAt"]
    assert api.expect(200, "GET", f"/event-type/{name}") == made


def test_defaults(api, name):
    made = api.expect(201, "POST", "/event-type", json={"name": name, "description": ""})
    assert made["schemas"] is None and made["featureFlag"] is None
    assert made["archived"] is False and made["deprecated"] is False


def test_second_create_conflicts(api, name):
    api.new_event_type(name)
    answer = api.expect(409, "POST", "/event-type", json={"name": name, "description": "again"})
    assert answer["code"] == "event_type_exists"


def test_create_revives_an_archived_one(api, name):
    first = api.new_event_type(name, schemas=SCHEMA)
    api.expect(204, "DELETE", f"/event-type/{name}")
    assert api.expect(200, "GET", f"/event-type/{name}")["archived"] is True
    second = api.expect(201, "POST", "/event-type", json={"name": name, "description": "anew"})
    assert second["archived"] is False and second["description"] == "anew" and second["schemas"] is None
    assert second["createdAt"] == first["createdAt"] and second["updatedAt"] > first["updatedAt"]


def test_expunge_removes(api, name):
    api.new_event_type(name)
    api.expect(204, "DELETE", f"/event-type/{name}", params={"expunge": "true"})
    assert api.expect(404, "GET", f"/event-type/{name}")["code"] == "not_found"
    api.expect(404, "DELETE", f"/event-type/{name}")
    api.expect(404, "DELETE", f"/event-type/{name}", params={"expunge": "true"})


def test_put_creates_then_replaces_all(api, name):
    made = api.expect(201, "PUT", f"/event-type/{name}", json={"description": "one", "schemas": SCHEMA, "featureFlag": "beta"})
    assert made["schemas"] == SCHEMA
    replaced = api.expect(200, "PUT", f"/event-type/{name}", json={"description": "two", "archived": True})
    assert replaced["description"] == "two" and replaced["archived"] is True
    assert replaced["schemas"] is None and replaced["featureFlag"] is None
    assert replaced["createdAt"] == made["createdAt"]


def test_patch_changes_only_what_it_names(api, name):
    api.new_event_type(name, schemas=SCHEMA, featureFlag="beta", deprecated=True)
    patched = api.expect(200, "PATCH", f"/event-type/{name}", json={"description": "other"})
    assert patched["description"] == "other" and patched["schemas"] == SCHEMA
    assert patched["featureFlag"] == "beta" and patched["deprecated"] is True
    patched = api.expect(200, "PATCH", f"/event-type/{name}", json={"featureFlag": None, "schemas": None, "deprecated": False})
    assert patched["featureFlag"] is None and patched["schemas"] is None and patched["deprecated"] is False
    assert patched["description"] == "other"
    api.expect(404, "PATCH", f"/event-type/{unique('none')}", json={"description": "x"})


@pytest.mark.parametrize("body", [
    {"description": "no name"},
    {"name": "a.b"},
    {"name": "a.b", "description": None},
    {"name": "a b", "description": ""},
    {"name": "", "description": ""},
    {"name": "x" * 257, "description": ""},
    {"name": "a.b", "description": "", "schemas": []},
    {"name": "a.b", "description": "", "schemas": {"1": "not an object"}},
    {"name": "a.b", "description": "", "archived": "yes"},
    {"name": "a.b", "description": "", "featureFlag": "not ok"},
])
def test_refuses_wrong_fields(api, body):
    answer = api.expect(422, "POST", "/event-type", json=body)
    assert all(fault["loc"][0] == "body" and fault["msg"] and fault["type"] for fault in answer["detail"])


def test_put_refuses_a_wrong_name(api):
    answer = api.expect(422, "PUT", "/event-type/a%20b", json={"description": ""})
    assert answer["detail"][0]["loc"] == ["path", "event_type_name"]


def test_list_by_name_in_pages_both_ways(own):
    wanted = sorted([f"t.{i}" for i in range(7)] + ["T.upper", "t-dash"])
    for name in reversed(wanted):
        own.new_event_type(name)
    assert names(own, limit=2) == wanted
    assert names(own, limit=4, order="descending") == wanted[::-1]
    first = own.expect(200, "GET", "/event-type", params={"limit": 3})
    assert first["iterator"] == wanted[2] and first["prevIterator"] == "-" + wanted[0] and not first["done"]
    second = own.expect(200, "GET", "/event-type", params={"limit": 3, "iterator": first["iterator"]})
    back = own.expect(200, "GET", "/event-type", params={"limit": 2, "iterator": second["prevIterator"]})
    assert [t["name"] for t in back["data"]] == wanted[1:3]


def test_list_of_nothing(own):
    page = own.expect(200, "GET", "/event-type")
    assert page == {"data": [], "iterator": None, "done": True}


def test_list_leaves_archived_out_unless_asked(own):
    own.new_event_type("kept")
    own.new_event_type("old")
    own.expect(204, "DELETE", "/event-type/old")
    assert names(own) == ["kept"]
    assert names(own, include_archived="true") == ["kept", "old"]


def test_list_without_content(own):
    own.new_event_type("typed", schemas=SCHEMA)
    assert own.pages("/event-type")[0]["schemas"] == SCHEMA
    assert own.pages("/event-type", with_content="false")[0]["schemas"] is None


def test_other_tenant_sees_and_changes_nothing(api, other, name):
    api.new_event_type(name)
    other.expect(404, "GET", f"/event-type/{name}")
    other.expect(404, "PATCH", f"/event-type/{name}", json={"description": "x"})
    other.expect(404, "DELETE", f"/event-type/{name}", params={"expunge": "true"})
    assert name not in names(other, include_archived="true", limit=250)
    other.expect(201, "POST", "/event-type", json={"name": name, "description": "their own"})
    assert api.expect(200, "GET", f"/event-type/{name}")["description"] == "of a test"
