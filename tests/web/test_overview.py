"""What a support engineer looks at first: who is in trouble, and where a customer is among many."""
from history import to_uuid
from playwright.sync_api import expect
from test_pages import judge, shoot
from wait import wait_for


def test_endpoints_in_trouble_show_and_lead_there(open_page, server, tenant, receiver):
    api = tenant.api
    app = api.new_app(name="Globex")
    api.new_endpoint(app, receiver.url("/hook"))
    failing = api.new_endpoint(app, "http://127.0.0.1:1/never", description="Order service", retrySchedule=[3600])
    gone = api.new_endpoint(app, "http://127.0.0.1:1/gone")
    api.wait_attempts(app, api.send(app, event_type="invoice.paid"), 3)
    with server.database() as db:
        wait_for(lambda: db.execute("UPDATE endpoints SET failing_since = now() - interval '2 hours' WHERE id = %s AND failing_since IS NOT NULL"
                                    " RETURNING 1", (to_uuid(failing["id"]),)).fetchone(), 10, "the failure is noted")
        db.execute("UPDATE endpoints SET disabled = true, failing_since = NULL, disabled_reason = 'the endpoint answered 410' WHERE id = %s",
                   (to_uuid(gone["id"]),))
    wait_for(lambda: api.expect(200, "GET", "/stats/deliveries")["total"]["success"], 10, "it is counted")
    page = open_page("/dashboard", tenant.key)
    rows = page.get_by_role("list", name="Endpoints that need attention").get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("Failing")
    expect(rows.nth(0)).to_contain_text("2 h ago")
    expect(rows.nth(1)).to_contain_text("the endpoint answered 410")
    expect(page.get_by_role("table", name="Attempts by event type").get_by_role("row", name="invoice.paid")).to_be_visible()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        judge(page, f"overview, {theme}")
    shoot(page, "overview-attention-1280-dark")
    page.emulate_media(color_scheme="light")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        shoot(page, f"overview-attention-{width}")
    page.get_by_role("link", name="Order service").click()
    expect(page.get_by_role("heading", name="Order service")).to_be_visible()
    page.get_by_role("button", name="Recover what failed…").wait_for()


def test_finding_an_application_among_many(open_page, server, tenant, receiver):
    api = tenant.api
    with server.database() as db:
        db.execute("INSERT INTO applications (id, tenant_id, name, uid) SELECT uuid_floor(now() - n * interval '1 second'), %s,"
                   " 'Customer ' || n, 'c' || n FROM generate_series(1, 12000) n", (to_uuid(tenant.id),))
    app = api.new_app(name="Initech")
    api.new_endpoint(app, receiver.url("/hook"))
    api.wait_attempts(app, api.send(app), 1)
    page = open_page("/dashboard/app", tenant.key)
    row = page.get_by_role("row", name="Initech")
    expect(row).to_contain_text("1 active")
    page.get_by_label("Find").fill("OMER 1199")
    expect(page.get_by_role("link", name="Customer 1199", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Customer 11999", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Load more").click()
    expect(page.get_by_role("link", name="Customer 11999", exact=True)).to_be_visible()
    page.get_by_label("Find").fill("customer 11998")
    expect(page.get_by_role("table", name="Applications").get_by_role("row")).to_have_count(2)
    assert "find=customer" in page.url, "the view can be shared"
    page.get_by_label("Find").fill(app["id"])
    expect(page.get_by_role("link", name="Initech")).to_be_visible()
    expect(page.get_by_role("table", name="Applications").get_by_role("row")).to_have_count(2)
    page.get_by_label("Find").fill("nobody")
    expect(page.get_by_text("No application of that name.")).to_be_visible()


def test_what_an_endpoint_waits_for(open_page, tenant):
    api = tenant.api
    app = api.new_app()
    endpoint = api.new_endpoint(app, "http://127.0.0.1:1/never", retrySchedule=[3600])
    message = api.send(app)
    api.wait_attempts(app, message, 1)
    page = open_page(f"/dashboard/app/{app['id']}/endpoint/{endpoint['id']}", tenant.key)
    page.get_by_label("Outcome").select_option("Retrying")
    expect(page.get_by_role("row", name=message["id"])).to_contain_text("no. 2, in ")
    page.get_by_label("Outcome").select_option("Waiting")
    expect(page.get_by_text("No delivery like that.")).to_be_visible()
