"""What belongs to a tenant as a whole."""
from playwright.sync_api import expect


def test_the_audit_log_says_who_did_what(open_page, tenant):
    api = tenant.api
    app = api.new_app(name="Acme")
    other = api.new_app(name="Globex")
    api.expect(200, "PATCH", f"/app/{app['id']}", json={"name": "<b>Acme</b>"})
    page = open_page("/dashboard/settings/audit", tenant.key)
    log = page.get_by_role("table", name="Audit log")
    expect(log.get_by_text("application.create")).to_have_count(2)
    page.get_by_label("Object").fill(app["id"])
    expect(log.get_by_text(other["id"])).to_have_count(0)
    expect(log.get_by_role("row")).to_have_count(3)
    page.get_by_label("Action").fill("application.patch")
    expect(log.get_by_role("row")).to_have_count(2)
    assert f"object={app['id']}" in page.url and "action=application.patch" in page.url, "the view can be shared"
    page.reload()
    expect(log.get_by_role("row")).to_have_count(2)
    log.get_by_role("row").last.get_by_role("button").press("Enter")
    dialog = page.get_by_role("dialog", name="application.patch")
    expect(dialog.get_by_text(app["id"]).first).to_be_visible()
    expect(dialog.get_by_text("API key").first).to_be_visible()
    expect(dialog.get_by_text("127.0.0.1")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear").click()
    expect(log.get_by_text("application.create")).to_have_count(2)


def test_who_may_only_read_is_not_offered_the_audit_log(open_page, tenant):
    key = tenant.api.expect(201, "POST", "/api-key", json={"name": "viewer", "scope": "read"})["key"]
    page = open_page("/dashboard/settings", key)
    expect(page.get_by_role("link", name="Usage")).to_be_visible()
    expect(page.get_by_role("link", name="Audit log")).to_have_count(0)
    page.goto("/dashboard/settings/audit")
    expect(page.get_by_role("alert")).to_be_visible()
