"""What a portal shows, how it looks, and on whose pages it may be shown."""
import re
from pathlib import Path

import pytest
from client import unique

ROUTES = [re.findall(r'\((\w+),\s*"([^"]*)",\s*\w+,\s*(\w+)', line)[0]
          for line in (Path(__file__).parents[2] / "server/api/routes.def").read_text().splitlines() if line.startswith("PH_ROUTE(")]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
BRANDING = {"accentDark": "#8fb2ff", "accentLight": "#2456c7", "logo": PIXEL, "name": "Übersee"}


@pytest.fixture
def tenant(server):
    """A client of a tenant of this test alone, and the tenant's id."""
    name, key = server.new_tenant(unique("portal"))
    with server.api(key) as client:
        client.tenant = client.expect(200, "GET", "/auth/whoami")["envId"]
        yield client


def open_portal(server, client, app, **fields):
    return server.api(client.expect(200, "POST", f"/auth/app-portal-access/{app['id']}", json=fields)["token"])


def test_a_token_shows_its_sections_only(server, tenant):
    app = tenant.new_app()
    own = f"/app/{app['id']}"
    endpoint = tenant.new_endpoint(app, "http://127.0.0.1:9/")["id"]
    asked = {"endpoints": (f"{own}/endpoint", f"{own}/endpoint/{endpoint}", f"{own}/endpoint/{endpoint}/stats"),
             "messages": (f"{own}/msg", f"{own}/attempt/endpoint/{endpoint}"), "event-types": ("/event-type",)}
    for shown in ([], ["endpoints"], ["messages"], ["event-types"], ["messages", "endpoints"], None):
        with open_portal(server, tenant, app, sections=shown) as user:
            allowed = list(asked) if shown is None else shown
            assert sorted(user.expect(200, "GET", "/portal")["sections"]) == sorted(allowed)
            user.expect(200, "GET", own)
            for section, paths in asked.items():
                for path in paths:
                    user.expect(200 if section in allowed else 403, "GET", path)
            user.expect(201 if "endpoints" in allowed else 403, "POST", f"{own}/endpoint", json={"url": "http://127.0.0.1:9/"})
            user.expect(200 if {"endpoints", "messages"} <= set(allowed) else 403, "GET", f"{own}/endpoint/{endpoint}/msg")


def test_without_sections_a_token_is_good_for_no_route_of_one(server, tenant):
    """Every route, so that a new one belongs to a section."""
    app = tenant.new_app()
    open_to_all = {"/api/v1/app/{app_id}"}
    with open_portal(server, tenant, app, sections=[]) as user:
        for method, path, scope in ROUTES:
            if scope in ("APP_READ", "APP_WRITE") and path not in open_to_all:
                at = re.sub(r"{\w+}", "x_y", path.removeprefix("/api/v1").replace("{app_id}", app["id"]))
                assert user.status(method, at, content=b"[") == 403, (method, path)


def test_what_a_portal_shows(server, tenant):
    app = tenant.new_app(name="Acme", uid=unique("acme"))
    tenant.expect(200, "PATCH", "/tenant", json={"portalBranding": BRANDING})
    with open_portal(server, tenant, app, readOnly=True) as user:
        shown = user.expect(200, "GET", "/portal")
    assert shown["application"] == {"id": app["id"], "name": "Acme", "uid": app["uid"]}
    assert shown["branding"] == BRANDING and shown["readOnly"] is True and shown["expiresAt"]
    mine = tenant.expect(200, "GET", "/portal")
    assert (mine["application"], mine["expiresAt"], mine["branding"]) == (None, None, BRANDING)


def test_settings_are_kept_and_go(tenant):
    assert tenant.expect(200, "GET", "/tenant")["portalOrigins"] == [] and tenant.expect(200, "GET", "/tenant")["portalBranding"] is None
    origins = ["https://app.example.com", "https://example.com:8443", "http://localhost:3000", "http://127.0.0.1"]
    tenant.expect(200, "PATCH", "/tenant", json={"portalOrigins": origins, "portalBranding": {"name": "Acme"}})
    tenant.expect(200, "PATCH", "/tenant", json={"name": "x"})
    settings = tenant.expect(200, "GET", "/tenant")
    assert settings["portalOrigins"] == origins
    assert settings["portalBranding"] == {"accentDark": None, "accentLight": None, "logo": None, "name": "Acme"}
    settings = tenant.expect(200, "PATCH", "/tenant", json={"portalOrigins": None, "portalBranding": None})
    assert settings["portalOrigins"] == [] and settings["portalBranding"] is None


@pytest.mark.parametrize("origin", [
    "", "*", "https://*", "https://*.example.com", "example.com", "http://example.com", "https://example.com/", "https://example.com/a",
    "https://user@example.com", "https://exa mple.com", "https://example.com;script-src *", "https://example.com, *", "https://example.com\r\nx: y",
    "https://example.com:0", "https://example.com:65536", "https://example.com:", "HTTPS://example.com", "https://Example.com", "javascript:alert(1)",
    "https://", "https://.example.com", "data:text/html,x", "https://ex\u00e4mple.com", "https://" + "a" * 250 + ".com", 1, None, ["x"]])
def test_what_is_no_origin_is_refused(tenant, origin):
    (fault,) = tenant.expect(422, "PATCH", "/tenant", json={"portalOrigins": ["https://ok.example.com", origin]})["detail"]
    assert fault["loc"] == ["body", "portalOrigins"]
    assert tenant.expect(200, "GET", "/tenant")["portalOrigins"] == []


@pytest.mark.parametrize("member, value", [
    ("name", ""), ("name", "x" * 257), ("name", 1), ("logo", ""), ("logo", "http://example.com/x.png"), ("logo", "https://example.com/\"><script>"),
    ("logo", "javascript:alert(1)"), ("logo", "data:image/svg+xml;base64,PHN2Zz4="), ("logo", "data:image/png;base64,"), ("logo", "data:image/png;base64,!!"),
    ("logo", "data:image/png;base64," + "A" * 32768), ("logo", "data:text/html;base64,AAAA"), ("logo", "https://example.com/" + "x" * 2048),
    ("accentLight", "red"), ("accentLight", "#fff"), ("accentLight", "#gggggg"), ("accentLight", "#ffffff"), ("accentLight", "#999999"),
    ("accentDark", "#000000"), ("accentDark", "#2456c7"), ("accentDark", "#123456;x"), ("css", "body{}")])
def test_what_is_no_branding_is_refused(tenant, member, value):
    (fault,) = tenant.expect(422, "PATCH", "/tenant", json={"portalBranding": {member: value}})["detail"]
    assert fault["loc"] == ["body", "portalBranding", member]


def test_what_is_no_section_is_refused(tenant):
    app = tenant.new_app()
    for sections in (["settings"], "endpoints", [1], ["Endpoints"]):
        faults = tenant.expect(422, "POST", f"/auth/app-portal-access/{app['id']}", json={"sections": sections})["detail"]
        assert {f["loc"][1] for f in faults} == {"sections"}, sections


def policy(server, client, path):
    answer = client.http.get(server.url + path)
    assert answer.status_code == 200, path
    return dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))


def test_the_portal_is_framed_on_the_tenants_origins_and_nowhere_else(server, tenant, other):
    tenant.expect(200, "PATCH", "/tenant", json={"portalOrigins": ["https://a.example.com", "https://b.example.com:8443"],
                                                  "portalBranding": {"logo": "https://cdn.example.com/logo.png"}})
    page = f"/portal?tenant={tenant.tenant}"
    for path in (page, f"/portal/endpoints?x=1&tenant={tenant.tenant}", page):
        sent = policy(server, tenant, path)
        assert sent["frame-ancestors"] == "https://a.example.com https://b.example.com:8443"
        assert sent["img-src"] == "'self' data: https://cdn.example.com"
    cached = tenant.http.get(server.url + page, headers={"If-None-Match": tenant.http.get(server.url + page).headers["etag"]})
    assert cached.status_code == 304 and "https://a.example.com" in cached.headers["content-security-policy"]
    theirs = other.expect(200, "GET", "/auth/whoami")["envId"]
    for path in ("/portal", "/portal?tenant=", f"/portal?tenant={theirs}", "/portal?tenant=org_" + "0" * 22, "/portal?tenant=%27%3B",
                 f"/dashboard?tenant={tenant.tenant}", f"/portalx?tenant={tenant.tenant}", f"/docs?tenant={tenant.tenant}"):
        if path.startswith("/portalx"):
            assert tenant.http.get(server.url + path).status_code == 404
        else:
            sent = policy(server, tenant, path)
            assert (sent["frame-ancestors"], sent["img-src"]) == ("'none'", "'self' data:"), path


def test_every_answer_is_safe_to_look_at(server, api, app):
    """No cache keeps what it says, no browser guesses what it is, runs it or shows it in a frame."""
    token = api.expect(200, "POST", f"/auth/app-portal-access/{app['id']}", json={})["token"]
    for method, path, status in (("GET", f"/api/v1/app/{app['id']}", 200), ("GET", "/api/v1/app/nothing", 404), ("PATCH", "/api/v1/app", 405),
                                 ("POST", "/api/v1/app", 422), ("GET", "/nothing", 404), ("POST", f"/api/v1/auth/app-portal-access/{app['id']}", 200),
                                 ("GET", "/api/v1/health", 204), ("POST", "/api/v1/auth/logout", 403), ("GET", "/admin/v1/tenant", 401)):
        answer = api.http.request(method, server.url + path, json={} if method == "POST" and "portal" in path else None)
        assert answer.status_code == status, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    for path in ("/dashboard", "/portal", "/docs", "/dashboard/app/x"):
        answer = api.http.get(server.url + path)
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"] and "unsafe" not in answer.headers["content-security-policy"]
    assert token
