"""Foreign text is text: markup in whatever a tenant, its customers or their receivers write does nothing."""
from playwright.sync_api import expect
from receiver import ok

MARK = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def test_markup_is_inert(open_page, tenant, receiver):
    api = tenant.api
    receiver.default = ok(MARK.encode(), headers=(("X-Answer", MARK), ("Content-Type", "text/html")))
    api.expect(200, "PATCH", "/tenant", json={"name": MARK[:100]})
    api.new_event_type("markup.sent", description=MARK, schemas={"1": {"type": "object", "description": MARK, "example": {"m": MARK}}})
    app = api.new_app(name=MARK)
    endpoint = api.new_endpoint(app, receiver.url("/hook?q=%3Cb%3E"), description=MARK)
    api.expect(204, "PUT", f"/app/{app['id']}/endpoint/{endpoint['id']}/headers", json={"headers": {"x-mark": MARK}})
    message = api.send(app, {"mark": MARK, MARK: 1}, event_type="markup.sent")
    api.wait_attempts(app, message, 1)
    here = f"/dashboard/app/{app['id']}"
    there = f"{here}/endpoint/{endpoint['id']}"
    for path, places in {
        "/dashboard": 1, "/dashboard/app": 2, "/dashboard/event-type": 1, "/dashboard/event-type/markup.sent": 2, "/dashboard/settings": 1,
        here: 2, there: 1, there + "/attempts": 1, there + "/settings": 2, f"{here}/msg/{message['id']}": 2,
    }.items():
        page = open_page(path, tenant.key)
        expect(page.get_by_text("onerror=").first).to_be_visible()
        expect(page.get_by_role("status", name="Loading")).to_have_count(0)
        seen = page.evaluate("document.body.innerText + [...document.querySelectorAll('input, textarea')].map(e => e.value).join()")
        assert seen.count("onerror=") >= places, f"{path}: {seen}"
        assert page.evaluate("document.querySelectorAll('img, script:not([src])').length") == 0, path
        assert "owned" not in page.title() or MARK in page.title(), path
        page.close()
