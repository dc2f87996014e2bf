"""What belongs to a tenant as a whole: its environments and its audit log."""
from client import Api
from playwright.sync_api import expect
from wait import wait_for


def test_an_environment_is_made_renamed_and_deleted(open_page, server, tenant):
    tenant.api.new_event_type("invoice.paid")
    page = open_page("/dashboard/settings/environments", tenant.key)
    page.get_by_role("button", name="New environment").click()
    page.get_by_label("Name").fill("test")
    page.get_by_role("button", name="Create", exact=True).click()
    key = page.get_by_label("The key", exact=True).inner_text()
    page.get_by_role("button", name="Done").click()
    row = page.get_by_role("table", name="Environments").get_by_role("row")
    expect(row.filter(has_text="Shown here")).to_contain_text("First")
    with Api(server.url, key) as other:
        assert other.expect(200, "GET", "/event-type/invoice.paid") and other.pages("/app") == []
        page.get_by_role("button", name="More for test").click()
        page.get_by_role("menuitem", name="Rename…").click()
        page.get_by_role("textbox", name="Name").fill("staging")
        page.get_by_role("button", name="Save").click()
        expect(row.filter(has_text="staging")).to_be_visible()

        guest = open_page("/dashboard/settings/environments", key)
        expect(guest.get_by_text("Only from the first one")).to_be_visible()
        expect(guest.get_by_role("button", name="More for")).to_have_count(0)

        page.get_by_role("button", name="More for staging").click()
        page.get_by_role("menuitem", name="Delete…").click()
        expect(page.get_by_role("button", name="Delete it")).to_be_disabled()
        page.get_by_label("Type staging to confirm").fill("staging")
        page.get_by_role("button", name="Delete it").click()
        expect(row.filter(has_text="staging")).to_have_count(0)
        wait_for(lambda: other.get("/app").status_code == 401, 10, "its key has ended")
    guest.reload()
    expect(guest.get_by_text("is no longer valid. Sign in again.")).to_be_visible()


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
