"""The dashboard's and the interface page's files, served by the server itself."""
import gzip
import re
import socket

import httpx
import pytest


@pytest.fixture(scope="module")
def web(server):
    """A client that takes no compression unless asked."""
    with httpx.Client(base_url=server.url, headers={"Accept-Encoding": "identity"}, trust_env=False) as client:
        yield client


def assets(page):
    return re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text)


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/", "/dashboard/app/app_x/endpoint", "/portal", "/portal/app/app_x", "/operator", "/operator/tenant", "/catalog/acme", "/docs", "/docs/"])
def test_a_page_needs_no_key_and_runs_nothing_inline(web, path):
    page = web.get(path)
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert page.headers["x-content-type-options"] == "nosniff" and page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-cache"
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", page.text)
    assert not re.search(r'(?:src|href)="(?!/)', page.text), "something is loaded from elsewhere"
    assert any(name.endswith(".js") for name in assets(page))


@pytest.mark.parametrize("path", ["/dashboard", "/docs"])
def test_what_a_page_names_is_there_and_kept(web, path):
    kinds = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
    for name in assets(web.get(path)):
        response = web.get(name)
        assert response.status_code == 200 and response.headers["content-type"] == kinds[name.rsplit(".")[-1]], name
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("accepted, coding", [
    ("identity", None), ("gzip", "gzip"), ("br", "br"), ("gzip, deflate, br", "br"), ("br;q=0, GZIP ; q=0.5", "gzip"),
    ("*", "br"), ("*;q=0", None), ("gzip;q=0.000, br;q=0", None), ("brx, xgzip", None), ("br;q=0,*", "gzip"), ("", None),
    (";,;q=1,", None),
])
def test_a_file_is_compressed_as_the_client_takes_it(web, accepted, coding):
    name = next(name for name in assets(web.get("/docs")) if name.endswith(".js"))
    plain = web.get(name)
    assert plain.headers["vary"] == "accept-encoding"
    with web.stream("GET", name, headers={"Accept-Encoding": accepted}) as response:
        body = b"".join(response.iter_raw())
    assert response.headers.get("content-encoding") == coding
    assert response.headers["etag"] == plain.headers["etag"] and int(response.headers["content-length"]) == len(body)
    if coding == "gzip":
        assert gzip.decompress(body) == plain.content
    if coding is None:
        assert body == plain.content
    assert coding is None or len(body) < len(plain.content) / 2


def test_who_has_a_file_gets_it_not_again(web):
    for path in ["/dashboard", assets(web.get("/dashboard"))[0]]:
        etag = web.get(path).headers["etag"]
        for known in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
            response = web.get(path, headers={"If-None-Match": known})
            assert response.status_code == 304 and response.content == b"" and response.headers["etag"] == etag
        assert web.get(path, headers={"If-None-Match": 'W/"x"'}).status_code == 200


def test_only_get_and_head(web):
    for path in ["/dashboard", "/docs", assets(web.get("/docs"))[0]]:
        head, get = web.head(path), web.get(path)
        assert head.status_code == 200 and head.content == b"" and head.headers["content-length"] == str(len(get.content))
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            response = web.request(method, path)
            assert response.status_code == 405 and response.headers["allow"] == "GET, HEAD"
            assert response.json()["code"] == "method_not_allowed"


def test_the_first_address_suits_browsers_and_programs(web):
    browser = web.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert browser.status_code == 303 and browser.headers["location"] == "/dashboard" and browser.headers["vary"] == "accept"
    for accept in ("*/*", "application/json"):
        index = web.get("/", headers={"Accept": accept})
        assert index.json()["dashboard"] == "/dashboard" and index.json()["docs"] == "/docs"


@pytest.mark.parametrize("path", [
    "/assets", "/assets/", "/assets/nothing.js", "/assets/../dashboard.html", "/assets/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd",
    "/assets/..%2f..%2fetc%2fpasswd", "/dashboardx", "/portalx", "/operators", "/catalogue", "/docs/x", "//docs", "/docs%00", "/docs//", "/dashboard.html", "/index.html",
    "/manifest.json", "/%64ocs", "/dash", "/assets/" + "x" * 4000,
])
def test_other_paths_are_nothing(server, path):
    """On the wire as they stand here: a client library would tidy them."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400")), head
    assert b"application/json" in head.lower() and body.startswith(b"{"), answer
