"""100,000 messages in the log: what is in the page, and what is asked of the server, does not grow with them."""
from history import to_uuid
from playwright.sync_api import expect
from test_pages import judge
from wait import wait_for

MESSAGES, PAGE, SCROLLED = 100_000, 100, 3000
ROWS_MAX = 120  # those of a screen of 800 px, and what is kept ready above and below


def test_a_hundred_thousand_messages_stay_fluid(open_page, server, tenant):
    app = tenant.api.new_app(name="Busy")
    with server.database() as db:
        db.execute("INSERT INTO messages (application_id, id, tenant_id, event_type, payload) SELECT %s, uuid_floor(now() - n * interval '100 ms'),"
                   " %s, 'invoice.paid', '{}' FROM generate_series(1, %s) n", (to_uuid(app["id"]), to_uuid(tenant.id), MESSAGES))
    page = open_page(f"/dashboard/app/{app['id']}/msg", tenant.key)
    asked = []
    page.on("request", lambda request: "/msg?" in request.url and asked.append(request.url))
    rows = page.get_by_role("table", name="Messages").get_by_role("row")
    last = "Math.max(...[...document.querySelectorAll('[role=row]')].map(row => Number(row.getAttribute('aria-rowindex'))))"
    expect(rows.nth(1)).to_be_visible()
    reached = most = 0
    while reached < SCROLLED:
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        before = reached
        reached = wait_for(lambda: (now := page.evaluate(last)) > before and now, 20, f"what follows row {before}")
        most = max(most, rows.count())
        assert most <= ROWS_MAX, f"{most} rows in the page at row {reached}"
    # Of so many lists of a page each, perhaps one that is under way; those that were asked for once are not asked for again.
    assert len(asked) <= reached // PAGE + 3, f"{len(asked)} requests for {reached} rows"
    assert len({url.partition("iterator=")[2] for url in asked}) == len(asked), "no page twice"
    page.evaluate("scrollTo(0, 0)")
    expect(rows.nth(1)).to_have_attribute("aria-rowindex", "2")
    judge(page, "a long log")
    page.goto(f"/dashboard/app/{app['id']}/msg?type=invoice.paid&before=2020-01-01T00:00")
    expect(page.get_by_text("No message like that.")).to_be_visible()
