"""The event types that a tenant publishes, and the examples that are made of their schemas."""
import pytest
from client import Api, unique

SCHEMAS = {
    "plain": {"type": "object", "required": ["id", "n", "price", "at"], "properties": {
        "id": {"type": "string", "minLength": 10, "maxLength": 12}, "n": {"type": "integer", "minimum": 5, "multipleOf": 3},
        "price": {"type": "number", "exclusiveMinimum": 0.1, "multipleOf": 0.1}, "at": {"type": "string", "format": "date-time"},
        "code": {"type": "string", "maxLength": 3}, "none": {"type": ["null", "string"]}, "ok": {"type": "boolean"}}},
    "lists": {"type": "object", "properties": {
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False, "minItems": 2},
        "many": {"type": "array", "items": {"$ref": "#/$defs/a~1b"}, "minItems": 3}}, "$defs": {"a/b": {"enum": ["x", "y"]}}},
    "together": {"allOf": [{"$ref": "#/$defs/base"}, {"properties": {"b": {"const": 2}}, "required": ["b"]}],
                 "oneOf": [{"required": ["c"], "properties": {"c": {"type": "null"}}}, {"required": ["d"]}],
                 "$defs": {"base": {"type": "object", "required": ["a"], "properties": {"a": {"default": [1, {"x": None}]}}}}},
    "choice": {"type": "object", "properties": {"v": {"anyOf": [{"type": "number", "maximum": -1}, {"type": "string"}]}}, "required": ["v"]},
    "tree": {"type": "object", "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#"}}}},
}


@pytest.fixture
def own(server):
    with server.api(server.new_tenant("publishes")[1]) as client:
        yield client


@pytest.fixture
def anybody(server):
    with Api(server.url, None) as client:
        yield client


def publish(api, **more):
    return api.expect(200, "PATCH", "/tenant", json={"publicCatalog": True, **more})


def test_nothing_is_public_before_it_is_published(server, anybody):
    tenant, key = server.new_tenant("quiet")
    slug = unique("quiet").lower()
    with server.api(key) as own:
        own.new_event_type("a")
        own.expect(200, "PATCH", "/tenant", json={"catalogSlug": slug})
        for name in (slug, tenant, "org_none", unique("nobody")):
            anybody.expect(404, "GET", f"/catalog/{name}")
        settings = publish(own)
        assert settings["publicCatalog"] is True and settings["catalogSlug"] == slug
        for name in (slug, tenant):
            assert [t["name"] for t in anybody.pages(f"/catalog/{name}")] == ["a"]
        own.expect(200, "PATCH", "/tenant", json={"publicCatalog": False})
        anybody.expect(404, "GET", f"/catalog/{slug}")


def test_what_is_shown(own, anybody):
    slug = unique("shown").lower()
    publish(own, catalogSlug=slug)
    own.new_event_type("a.shown", description="Shown.", groupName="g", deprecated=True, schemas={"1": SCHEMAS["choice"]})
    own.new_event_type("b.flagged", featureFlag="beta")
    own.new_event_type("c.archived")
    own.expect(204, "DELETE", "/event-type/c.archived")
    own.new_event_type("d.bare")
    answer = anybody.get(f"/catalog/{slug}")
    assert answer.headers["cache-control"] == "public, max-age=60" and answer.headers["access-control-allow-origin"] == "*"
    assert answer.json()["data"] == [
        {"name": "a.shown", "description": "Shown.", "groupName": "g", "deprecated": True, "schemas": {"1": SCHEMAS["choice"]},
         "example": {"v": -1.0}},
        {"name": "d.bare", "description": "of a test", "groupName": None, "deprecated": False, "schemas": None, "example": None}]


def test_it_has_pages(own, anybody):
    slug = unique("pages").lower()
    publish(own, catalogSlug=slug)
    names = [f"t{n}" for n in range(7)]
    for name in names:
        own.new_event_type(name)
    assert [t["name"] for t in anybody.pages(f"/catalog/{slug}", limit=3)] == names
    assert [t["name"] for t in anybody.pages(f"/catalog/{slug}", limit=3, order="descending")] == names[::-1]
    back = anybody.expect(200, "GET", f"/catalog/{slug}", params={"limit": 2, "iterator": "-t5"})
    assert [t["name"] for t in back["data"]] == ["t3", "t4"]
    anybody.expect(422, "GET", f"/catalog/{slug}", params={"iterator": "no name"})


def test_large_schemas_make_short_pages(own, anybody):
    slug = unique("large").lower()
    publish(own, catalogSlug=slug)
    names = [f"t{n}" for n in range(4)]
    for name in names:
        own.new_event_type(name, schemas={"1": {"type": "object", "title": "x" * 600_000}})
    page = anybody.expect(200, "GET", f"/catalog/{slug}")
    assert [t["name"] for t in page["data"]] == names[:2] and page["done"] is False and page["data"][0]["example"] is None
    assert [t["name"] for t in anybody.pages(f"/catalog/{slug}")] == names
    back = anybody.expect(200, "GET", f"/catalog/{slug}", params={"iterator": "-t3"})
    assert [t["name"] for t in back["data"]] == names[1:3] and back["done"] is False


def test_a_slug_belongs_to_one_tenant(own, other):
    slug = unique("mine").lower()
    publish(own, catalogSlug=slug)
    other.expect(409, "PATCH", "/tenant", json={"catalogSlug": slug})
    for wrong in ("", "A", "a_b", "-a", "a-", "x" * 65, 5):
        assert own.expect(422, "PATCH", "/tenant", json={"catalogSlug": wrong})["detail"][0]["loc"] == ["body", "catalogSlug"]
    assert own.expect(200, "PATCH", "/tenant", json={"catalogSlug": None})["catalogSlug"] is None
    assert other.expect(200, "PATCH", "/tenant", json={"catalogSlug": slug})["catalogSlug"] == slug
    other.expect(200, "PATCH", "/tenant", json={"catalogSlug": None})


@pytest.mark.parametrize("kind", SCHEMAS)
def test_an_example_matches_its_schema(own, anybody, kind):
    slug = unique("example").lower()
    publish(own, catalogSlug=slug)
    own.new_event_type("a", schemas={"1": SCHEMAS[kind]}, schemaValidation="enforce")
    (found,) = anybody.pages(f"/catalog/{slug}")
    app = own.new_app()
    own.expect(202, "POST", f"/app/{app['id']}/msg", json={"eventType": "a", "payload": found["example"]})


def test_an_example_stays_small(own, anybody):
    slug = unique("small").lower()
    publish(own, catalogSlug=slug)
    big = {"$ref": "#/$defs/big"}
    own.new_event_type("a", schemas={"1": {"type": "object", "properties": {f"p{n}": big for n in range(900)},
                                           "$defs": {"big": {"default": "x" * 20_000}}}})
    own.new_event_type("b", schemas={"1": {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}, "c": {"allOf": [{"$ref": "#"}] * 9}}}})
    own.new_event_type("c", schemas={"1": {"type": "object", "properties": {"n": {"type": "array", "items": {"type": "number", "minimum": 1e308, "multipleOf": 1e308}, "minItems": 99}}}})
    assert len(anybody.get(f"/catalog/{slug}").content) < 400_000
