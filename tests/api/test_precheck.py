"""Whether an endpoint takes such messages."""
import pytest
from client import unique
from wait import wait_for

URL = "http://127.0.0.1:9/"


def active(api, app, **body):
    answer = api.expect(200, "POST", f"/app/{app['id']}/msg/precheck/active", json={"eventType": "a.b", **body})
    assert set(answer) == {"active"}
    return answer["active"]


def test_it_is_as_the_endpoints_are(api):
    app = api.new_app(uid=unique("app"))

    def becomes(value, **body):
        """News of a change takes a moment."""
        wait_for(lambda: active(api, app, **body) == value, 10, f"{body} is {value}")

    assert not active(api, app)
    endpoint = api.new_endpoint(app, URL, eventTypes=["a.b"], channels=["x", "y"])
    becomes(True, channels=["z", "y"])
    assert not active(api, app) and not active(api, app, channels=[]) and not active(api, app, channels=["z"])
    assert not active(api, app, eventType="a.c", channels=["x"])
    api.expect(200, "PATCH", f"/app/{app['id']}/endpoint/{endpoint['id']}", json={"disabled": True})
    becomes(False, channels=["x"])
    second = api.new_endpoint(app, URL)
    becomes(True)
    assert active(api, {"id": app["uid"]}, eventType="whatever", channels=None)
    api.expect(204, "DELETE", f"/app/{app['id']}/endpoint/{second['id']}")
    becomes(False)


def test_it_makes_no_message(api, app):
    api.new_endpoint(app, URL)
    wait_for(lambda: active(api, app), 10, "the endpoint is known")
    assert api.pages(f"/app/{app['id']}/msg") == []


@pytest.mark.parametrize("body, member", [
    ({}, "eventType"), ({"eventType": "a b"}, "eventType"), ({"eventType": None}, "eventType"),
    ({"eventType": "a", "channels": "x"}, "channels"), ({"eventType": "a", "channels": [f"c{n}" for n in range(11)]}, "channels"),
])
def test_refuses_what_is_wrong(api, app, body, member):
    answer = api.expect(422, "POST", f"/app/{app['id']}/msg/precheck/active", json=body)
    assert answer["detail"][0]["loc"] == ["body", member]


def test_only_the_own_applications(api, other, app):
    api.new_endpoint(app, URL)
    for client, path in ((api, "none"), (api, "%25operational"), (other, app["id"])):
        client.expect(404, "POST", f"/app/{path}/msg/precheck/active", json={"eventType": "a.b"})
