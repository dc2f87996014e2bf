"""What people come for, from the first click to what the receiver sees."""
import pytest
from playwright.sync_api import expect
from receiver import ok, status
from standardwebhooks import Webhook, WebhookVerificationError
from wait import wait_for


def verify(secret, request):
    Webhook(secret).verify(request.body, dict(request.headers))


def test_signing_in_and_out(open_page, tenant):
    page = open_page("/dashboard/app")
    page.get_by_label("API key").fill("phk_" + "x" * 43)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This API key is not known here.")).to_be_visible()
    page.get_by_label("API key").fill(tenant.key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Applications")).to_be_visible()
    expect(page.get_by_text("Tenant of a test")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Applications")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert page.evaluate("JSON.stringify([sessionStorage, localStorage])").find(tenant.key) < 0
    page.reload()
    expect(page.get_by_label("API key")).to_be_visible()


def test_a_key_that_ends_leads_back_to_signing_in(open_page, server, tenant):
    page = open_page("/dashboard/app", tenant.key)
    expect(page.get_by_role("heading", name="Applications")).to_be_visible()
    page.evaluate("sessionStorage.setItem('posthorn.key', 'phk_" + "y" * 43 + "')")
    page.get_by_role("link", name="Event types").click()
    expect(page.get_by_text("The API key is no longer valid. Sign in again.")).to_be_visible()


def test_finding_and_resending_a_failed_message(open_page, tenant, receiver):
    api = tenant.api
    app = api.new_app(name="Acme")
    endpoint = api.new_endpoint(app, receiver.url("/hook"), retrySchedule=[])
    receiver.script("/hook", *[ok()] * 5, status(422, b"no such invoice"), *[ok()] * 5)
    sent = []
    for i in range(11):
        sent.append(api.send(app, {"number": i}, event_type="invoice.paid")["id"])
        receiver.wait(i + 1, "/hook")
    failed = next(m["id"] for m in api.pages(f"/app/{app['id']}/msg") if m["payload"] == {"number": 5})
    wait_for(lambda: api.attempts(app, failed) and api.attempts(app, failed)[0]["status"] == 2, 10, "the failure is recorded")

    page = open_page("/dashboard/app", tenant.key)
    page.get_by_role("link", name="Acme").click()
    page.get_by_role("link", name=endpoint["url"]).click()
    page.get_by_label("Outcome").select_option("Failed")
    expect(page.get_by_role("table", name="Deliveries").get_by_role("row")).to_have_count(2)
    assert "status=2" in page.url, "the view can be shared"
    page.get_by_role("row", name=failed).get_by_role("link").click()
    expect(page.get_by_label("Payload", exact=True)).to_contain_text('"number": 5')
    expect(page.get_by_text("no such invoice")).to_be_visible()
    page.get_by_role("button", name=f"Resend to {endpoint['url']}").click()
    expect(page.get_by_text("It goes out once more now.")).to_be_visible()
    expect(page.get_by_text("Delivered")).to_be_visible()
    assert receiver.wait(12, "/hook")[-1].body == b'{"number":5}'
    page.go_back()
    expect(page.get_by_text("No delivery like that.")).to_be_visible()


def test_rotating_a_secret(open_page, tenant, receiver):
    api = tenant.api
    app = api.new_app()
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    old = api.secret(app, endpoint)
    page = open_page(f"/dashboard/app/{app['id']}/endpoint/{endpoint['id']}/signing", tenant.key)
    expect(page.get_by_role("heading", name="Secret", exact=True)).to_be_visible()
    assert old not in page.content(), "it is hidden until it is asked for"
    page.get_by_role("button", name="Reveal").click()
    expect(page.get_by_text(old).first).to_be_visible()
    page.get_by_role("button", name="Rotate…").click()
    page.get_by_label("Grace").select_option("1 hour")
    page.get_by_role("button", name="Rotate", exact=True).click()
    expect(page.get_by_text("Rotated: both secrets sign until")).to_be_visible()
    expect(page.get_by_text(old)).to_have_count(0)
    new = api.secret(app, endpoint)
    assert new != old
    expect(page.get_by_text(new).first).to_be_visible()
    page.get_by_role("button", name="Hide").click()
    expect(page.get_by_text(new)).to_have_count(0)
    api.send(app)
    request = receiver.wait(1, "/hook")[0]
    verify(old, request)
    verify(new, request)
    with pytest.raises(WebhookVerificationError):
        verify("whsec_" + "A" * 32, request)


def test_an_endpoint_signs_in_another_way(open_page, tenant, receiver):
    api = tenant.api
    app = api.new_app()
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    page = open_page(f"/dashboard/app/{app['id']}/endpoint/{endpoint['id']}/signing", tenant.key)
    expect(page.get_by_role("heading", name="Check it in the receiver")).to_be_visible()
    page.get_by_label("Signed as").select_option("X-Hub-Signature-256 (GitHub)")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Changes saved.")).to_be_visible()
    expect(page.get_by_role("heading", name="Check it in the receiver")).to_have_count(0)
    api.send(app)
    assert receiver.wait(1, "/hook")[0].header("x-hub-signature-256").startswith("sha256=")


def test_recovering_what_failed(open_page, tenant, receiver):
    api = tenant.api
    app = api.new_app()
    endpoint = api.new_endpoint(app, receiver.url("/hook"), retrySchedule=[])
    receiver.script("/hook", *[status(500)] * 3)
    for message in [api.send(app) for _ in range(3)]:
        api.wait_attempts(app, message, 1)
    page = open_page(f"/dashboard/app/{app['id']}/endpoint/{endpoint['id']}", tenant.key)
    page.get_by_role("button", name="More for this endpoint").click()
    page.get_by_role("menuitem", name="Recover what failed…").click()
    page.get_by_role("button", name="Recover", exact=True).click()
    expect(page.get_by_role("heading", name="Recover what failed")).to_be_visible()
    expect(page.get_by_text("Finished")).to_be_visible()
    receiver.wait(6, "/hook")
    page.get_by_role("link", name=endpoint["id"]).click()
    expect(page.get_by_role("table", name="Deliveries").get_by_text("Delivered")).to_have_count(3)


def test_pausing_holds_deliveries_until_resuming(open_page, tenant, receiver):
    api = tenant.api
    app = api.new_app()
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    page = open_page(f"/dashboard/app/{app['id']}/endpoint/{endpoint['id']}", tenant.key)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused. Deliveries wait until you resume it.")).to_be_visible()
    api.send(app)
    expect(page.get_by_role("definition").nth(3)).to_have_text("1")
    assert not receiver.requests
    page.get_by_role("button", name="Resume").click()
    receiver.wait(1, "/hook")
    expect(page.get_by_role("table", name="Deliveries").get_by_text("Delivered")).to_be_visible()


def test_deleting_is_confirmed_by_name(open_page, tenant):
    app = tenant.api.new_app(name="Acme", uid="acme-inc")
    page = open_page(f"/dashboard/app/{app['id']}", tenant.key)
    page.get_by_role("button", name="More for this application").click()
    page.get_by_role("menuitem", name="Delete…").click()
    delete = page.get_by_role("button", name="Delete it")
    expect(delete).to_be_disabled()
    page.get_by_label("Type acme-inc to confirm").fill("acme")
    page.keyboard.press("Enter")
    expect(delete).to_be_disabled()
    page.get_by_role("button", name="Keep as it is").click()
    tenant.api.expect(200, "GET", f"/app/{app['id']}")
    page.get_by_role("button", name="More for this application").click()
    page.get_by_role("menuitem", name="Delete…").click()
    page.get_by_label("Type acme-inc to confirm").fill("acme-inc")
    delete.click()
    expect(page.get_by_text("Acme was deleted.")).to_be_visible()
    expect(page.get_by_text("No application yet.")).to_be_visible()
    tenant.api.expect(404, "GET", f"/app/{app['id']}")


def test_faults_of_a_form_stand_at_their_fields(open_page, tenant):
    app = tenant.api.new_app(uid="taken")
    page = open_page("/dashboard/app?new", tenant.key)
    page.get_by_label("Name").fill("Acme")
    page.get_by_label("Uid").fill("not a uid")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_label("Uid")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Uid").fill("taken")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto(f"/dashboard/app/{app['id']}/endpoint/new")
    page.get_by_label("URL", exact=True).fill("ftp://example.com")
    page.get_by_role("button", name="Create endpoint").click()
    expect(page.get_by_label("URL", exact=True)).to_have_attribute("aria-invalid", "true")


def test_an_event_type_from_its_schema_to_the_archive(open_page, tenant):
    page = open_page("/dashboard/event-type", tenant.key)
    page.get_by_role("link", name="New event type").first.click()
    page.get_by_label("Name").fill("invoice.paid")
    page.get_by_label("Description").fill("An invoice was paid.")
    page.get_by_label("JSON Schema").fill('{"type": "object", "properties": {"amount": {"type": "integer", "minimum": 7}}}')
    expect(page.get_by_role("region", name="Example").first).to_contain_text('"amount": 7')
    page.get_by_role("button", name="Create event type").click()
    expect(page.get_by_role("heading", name="invoice.paid")).to_be_visible()
    page.get_by_role("button", name="Deprecate").click()
    expect(page.get_by_text("Deprecated", exact=True)).to_be_visible()
    page.get_by_role("button", name="More for this event type").click()
    page.get_by_role("menuitem", name="Archive…").click()
    page.get_by_role("button", name="Archive it").click()
    expect(page.get_by_text("invoice.paid is in the archive.")).to_be_visible()
    expect(page.get_by_text("No event type yet.")).to_be_visible()
    page.get_by_text("Archived too").click()
    expect(page.get_by_role("link", name="invoice.paid")).to_be_visible()


def test_a_key_is_shown_once_and_ends_when_it_is_deleted(open_page, server, tenant):
    page = open_page("/dashboard/settings/keys", tenant.key)
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name").fill("Continuous integration")
    page.get_by_label("May do").select_option("Read only")
    page.get_by_role("button", name="Create").click()
    key = page.get_by_label("The key", exact=True).inner_text()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("table", name="API keys").get_by_text("Continuous integration")).to_be_visible()
    assert key not in page.content()
    with server.api(key) as made:
        made.expect(200, "GET", "/app")
        made.expect(403, "POST", "/app", json={"name": "x"})
        page.get_by_role("button", name="Delete Continuous integration").click()
        page.get_by_label("Type Continuous integration to confirm").fill("Continuous integration")
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_text("Continuous integration no longer works.")).to_be_visible()
        made.expect(401, "GET", "/app")


def test_a_payload_filter_is_tried_and_obeyed(open_page, tenant, receiver):
    api = tenant.api
    app = api.new_app()
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    page = open_page(f"/dashboard/app/{app['id']}/endpoint/{endpoint['id']}/settings", tenant.key)
    page.get_by_text("Filter, rate, order, retries, uid").click()
    page.get_by_label("Payload filter").fill('{"path": "amount", "op": "gte"')
    expect(page.get_by_text("This is no JSON.")).to_be_visible()
    page.get_by_label("Payload filter").fill('{"path": "amount", "op": "gte", "value": 1000}')
    page.get_by_label("Try it on a payload").fill('{"amount": 999}')
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_text("It would not get this.")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Changes saved.")).to_be_visible()
    api.send(app, {"amount": 999})
    api.send(app, {"amount": 1000})
    assert receiver.wait(1, "/hook")[0].body == b'{"amount":1000}'


def test_the_portal_shows_one_application_to_whoever_has_its_link(open_page, tenant, receiver):
    api = tenant.api
    app, other = api.new_app(name="Acme"), api.new_app(name="Globex")
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    page = open_page(f"/dashboard/app/{app['id']}", tenant.key)
    page.get_by_role("button", name="More for this application").click()
    page.get_by_role("menuitem", name="Portal link…").click()
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("The link", exact=True).inner_text()

    portal = open_page(link)
    expect(portal.get_by_role("heading", name="Acme")).to_be_visible()
    assert "#" not in portal.url and "php_" not in portal.url, "the token does not stay in the address"
    expect(portal.get_by_role("link", name="Applications")).to_have_count(0)
    expect(portal.get_by_role("button", name="Send a message")).to_have_count(0)
    portal.get_by_role("link", name=endpoint["url"]).click()
    portal.get_by_role("link", name="Test").click()
    portal.get_by_role("button", name="Send", exact=True).click()
    expect(portal.get_by_role("region", name="What came of it").get_by_text("200")).to_be_visible()
    portal.get_by_role("link", name="Settings").click()
    portal.get_by_label("Description").fill("Ours")
    portal.get_by_role("button", name="Save").click()
    expect(portal.get_by_role("heading", name="Ours")).to_be_visible()
    portal.goto(f"/portal/app/{other['id']}")
    expect(portal.get_by_role("alert")).to_be_visible()
    expect(portal.get_by_text("Globex")).to_have_count(0)

    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="More for this application").click()
    page.get_by_role("menuitem", name="End all portal links…").click()
    page.get_by_role("button", name="End them").click()
    expect(page.get_by_text("All portal links of this application have ended.")).to_be_visible()
    portal.goto("/portal")
    expect(portal.get_by_role("heading", name="This link has ended")).to_be_visible()


def test_who_may_only_look_is_shown_nothing_to_change(open_page, tenant, receiver):
    api = tenant.api
    app = api.new_app(name="Acme")
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    message = api.send(app)
    key = api.expect(201, "POST", "/api-key", json={"name": "viewer", "scope": "read"})["key"]
    link = api.expect(200, "POST", f"/auth/app-portal-access/{app['id']}", json={"readOnly": True})["url"]
    home = f"/app/{app['id']}"
    allowed = {"Search and commands", "Open the menu", "Dark theme", "Sign out", "Clear", "Load more", "Open", "Laid out", "As sent", "Stop"}
    for base, start in (("/dashboard", "/dashboard"), ("/portal", link)):
        page = open_page(start, key)
        expect(page.get_by_text("Read only", exact=True)).to_be_visible()
        pages = [home, f"{home}/msg", f"{home}/endpoint/{endpoint['id']}", f"{home}/msg/{message['id']}", f"{home}/endpoint/{endpoint['id']}/settings"]
        for path in pages + (["/app", "/event-type", "/settings", "/settings/keys", "/settings/operational"] if base == "/dashboard" else []):
            page.goto(base + path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            expect(page.get_by_role("status", name="Loading")).to_have_count(0)
            buttons = page.get_by_role("button", disabled=False).filter(visible=True).all_inner_texts()
            offered = {text.split("\n")[0] for text in buttons if text} - allowed
            assert not {text for text in offered if not text.startswith("Go to")}, f"{base}{path}: {offered}"


def test_what_happens_is_shown_live(open_page, tenant, receiver):
    api = tenant.api
    app = api.new_app(name="Acme")
    api.new_endpoint(app, receiver.url("/hook"))
    page = open_page("/dashboard/tail", tenant.key)
    expect(page.get_by_text("Listening")).to_be_visible()
    message = api.send(app, event_type="invoice.paid")
    live = page.get_by_role("table", name="Live")
    expect(live.get_by_text("Accepted")).to_be_visible()
    expect(live.get_by_text("Delivered 200")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    live.get_by_role("link", name="invoice.paid").first.click()
    expect(page.get_by_text(message["id"]).first).to_be_visible()


def test_event_types_come_from_an_openapi_document(open_page, tenant):
    page = open_page("/dashboard/event-type", tenant.key)
    page.get_by_role("button", name="Import…").first.click()
    page.get_by_label("OpenAPI document").fill("""
openapi: 3.1.0
info: {title: Acme, version: "1"}
webhooks:
  order.shipped:
    post:
      description: A parcel is on its way.
      requestBody: {content: {application/json: {schema: {type: object}}}}
""")
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_text("1 would change: order.shipped")).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("link", name="order.shipped")).to_be_visible()


def test_an_endpoint_whose_messages_are_fetched(open_page, tenant):
    api = tenant.api
    app = api.new_app()
    page = open_page(f"/dashboard/app/{app['id']}/endpoint/new", tenant.key)
    page.get_by_label("Messages are").select_option("fetched by the customer")
    page.get_by_label("Description").fill("Data warehouse")
    page.get_by_role("button", name="Create endpoint").click()
    expect(page.get_by_role("heading", name="Data warehouse")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    endpoint = api.pages(f"/app/{app['id']}/endpoint")[0]
    assert endpoint["type"] == "poller"
    code = page.get_by_label("Fetch messages, curl", exact=True).inner_text()
    assert f"/api/v1/app/{app['id']}/poller/{endpoint['id']}" in code
    page.get_by_role("link", name="Settings").last.click()
    page.get_by_label("Description").fill("Warehouse")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Warehouse")).to_be_visible()
    page.get_by_role("button", name="More for this endpoint").click()
    page.get_by_role("menuitem", name="Delete…").click()
    expect(page.get_by_role("button", name="Delete it")).to_be_disabled()
    page.get_by_label(f"Type {endpoint['id']} to confirm").fill(endpoint["id"])
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("No endpoint yet.")).to_be_visible()


def test_oauth_is_set_without_showing_its_secret_again(open_page, tenant, receiver):
    api = tenant.api
    app = api.new_app()
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    page = open_page(f"/dashboard/app/{app['id']}/endpoint/{endpoint['id']}/settings", tenant.key)
    page.get_by_role("button", name="Set…").first.click()
    page.get_by_label("Token URL").fill(receiver.url("/token"))
    page.get_by_label("Client id").fill("client-7")
    page.get_by_label("Client secret").fill("very secret")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_text("Requests carry a token from now on.")).to_be_visible()
    expect(page.get_by_text("client-7")).to_be_visible()
    assert "very secret" not in page.content()
    assert api.expect(200, "GET", f"/app/{app['id']}/endpoint/{endpoint['id']}/oauth")["clientId"] == "client-7"
    page.get_by_role("button", name="Remove…").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("The OAuth token was removed.")).to_be_visible()
    api.expect(404, "GET", f"/app/{app['id']}/endpoint/{endpoint['id']}/oauth")


def test_a_planned_message_is_cancelled(open_page, tenant, receiver):
    api = tenant.api
    app = api.new_app()
    api.new_endpoint(app, receiver.url("/hook"))
    message = api.send(app, deliverInSeconds=7200)
    page = open_page(f"/dashboard/app/{app['id']}/msg/{message['id']}", tenant.key)
    expect(page.get_by_text("Planned for")).to_contain_text("in 1 h")
    page.get_by_role("button", name="Cancel it…").click()
    page.get_by_role("button", name="Cancel the message").click()
    expect(page.get_by_text("It is not delivered.")).to_be_visible()
    expect(page.get_by_text("Planned for")).to_have_count(0)


def test_another_page_begins_at_its_top(open_page, tenant):
    for i in range(60):
        tenant.api.new_app(name=f"Customer {i}")
    page = open_page("/dashboard/app", tenant.key)
    last = page.get_by_role("link", name="Customer 0", exact=True)
    expect(page.get_by_role("link", name="Customer 59", exact=True)).to_be_visible()
    wait_for(lambda: page.mouse.wheel(0, 50_000) or last.is_visible(), 10, "the end of the list")
    last.click()
    expect(page.get_by_role("heading", name="Customer 0")).to_be_visible()
    wait_for(lambda: page.evaluate("scrollY") == 0, 5, "the page is at its top")
    assert page.evaluate("document.activeElement.id") == "content", "the keyboard goes on in the content"


def test_a_tab_from_before_an_upgrade_loads_itself_again(open_page, tenant):
    page = open_page("/dashboard/app", tenant.key)
    expect(page.get_by_role("heading", name="Applications")).to_be_visible()
    refused = []

    def gone(route):
        if refused:
            return route.continue_()
        refused.append(route.request.url)
        route.fulfill(status=404, body="{}", content_type="application/json")
    page.route("**/assets/TaskList*.js", gone)
    page.get_by_role("link", name="Background tasks").click()
    expect(page.get_by_text("No background task yet.")).to_be_visible()
    assert refused


def test_a_log_of_thousands_stays_small_in_the_page(open_page, tenant):
    api = tenant.api
    app = api.new_app()
    for _ in range(2):
        messages = [{"eventType": "invoice.paid", "payload": {}}] * 500
        api.expect(202, "POST", f"/app/{app['id']}/msg/batch", json={"messages": messages})
    page = open_page(f"/dashboard/app/{app['id']}/msg", tenant.key)
    log = page.get_by_role("table", name="Messages")
    page.get_by_role("button", name="Load more").click()
    expect(log.get_by_role("row").first).to_be_visible()

    def at_the_end():
        page.mouse.wheel(0, 100_000)
        return page.get_by_text("That is all.").is_visible()
    wait_for(at_the_end, 20, "the end of the log")
    assert log.get_attribute("aria-rowcount") == "1001"
    assert log.get_by_role("row").count() < 150
