"""scenario.py URL KEY RECEIVER: every operation of the interface that the Python library `svix` has."""
import sys
import time
from datetime import datetime, timedelta, timezone

from svix.api import Svix, SvixOptions
from svix.api.event_type import EventTypeDeleteOptions
from svix.models import (ApplicationIn, ApplicationPatch, AppPortalAccessIn, EndpointHeadersIn, EndpointHeadersPatchIn, EndpointIn,
                         EndpointPatch, EndpointSecretRotateIn, EndpointUpsertIn, EventExampleIn, EventTypeIn, EventTypePatch,
                         EventTypeUpsertIn, MessageIn, MessageStatus, RecoverIn)

url, key, receiver = sys.argv[1:]
svix = Svix(key, SvixOptions(server_url=url, timeout=60.0))

svix.health.get()

app = svix.application.create(ApplicationIn(name="One", uid="scenario", metadata={"a": "b"}, throttle_rate=100))
assert svix.application.get_or_create(ApplicationIn(name="Two", uid="scenario")) == app
assert svix.application.get("scenario") == app and svix.application.list().data == [app]
assert svix.application.patch(app.id, ApplicationPatch(name="Patched")).name == "Patched"
assert svix.application.upsert(app.id, ApplicationIn(name="Replaced", uid="scenario")).name == "Replaced"

schemas = {"1": {"type": "object", "properties": {"n": {"type": "integer"}}, "examples": [{"n": 7}]}}
kind = svix.event_type.create(EventTypeIn(name="invoice.paid", description="One", schemas=schemas))
assert svix.event_type.get("invoice.paid") == kind and [t.name for t in svix.event_type.list().data] == [kind.name]
assert svix.event_type.patch(kind.name, EventTypePatch(description="Two")).description == "Two"
assert svix.event_type.upsert(kind.name, EventTypeUpsertIn(description="Three", schemas=schemas)).description == "Three"

endpoint = svix.endpoint.create(app.id, EndpointIn(url=receiver, uid="hook", event_types=[kind.name], channels=["c"], metadata={"a": "b"}))
assert svix.endpoint.get(app.id, "hook") == endpoint and svix.endpoint.list(app.id).data == [endpoint]
assert svix.endpoint.patch(app.id, endpoint.id, EndpointPatch(description="Patched")).description == "Patched"
assert svix.endpoint.upsert(app.id, endpoint.id, EndpointUpsertIn(url=receiver, uid="hook")).description == ""
old = svix.endpoint.get_secret(app.id, endpoint.id).key
svix.endpoint.rotate_secret(app.id, endpoint.id, EndpointSecretRotateIn())
assert svix.endpoint.get_secret(app.id, endpoint.id).key != old
set_headers = svix.endpoint.set_headers if hasattr(svix.endpoint, "set_headers") else svix.endpoint.update_headers
set_headers(app.id, endpoint.id, EndpointHeadersIn(headers={"x-one": "1"}))
svix.endpoint.patch_headers(app.id, endpoint.id, EndpointHeadersPatchIn(headers={"x-two": "2"}))
assert svix.endpoint.get_headers(app.id, endpoint.id).headers == {"x-one": "1", "x-two": "2"}

sent = svix.message.create(app.id, MessageIn(event_type=kind.name, event_id="event-1", payload={"n": 1}, channels=["c"]))
assert svix.message.get(app.id, "event-1").id == sent.id and [m.id for m in svix.message.list(app.id).data] == [sent.id]
attempts = svix.message_attempt
for _ in range(600):
    made = attempts.list_by_msg(app.id, sent.id).data
    if made:
        break
    time.sleep(0.1)
assert [a.status for a in made] == [MessageStatus.SUCCESS] and made[0].endpoint_id == endpoint.id
assert [a.id for a in attempts.list_by_endpoint(app.id, endpoint.id).data] == [made[0].id]
assert attempts.get(app.id, sent.id, made[0].id).response_status_code == 200
assert [m.id for m in attempts.list_attempted_messages(app.id, endpoint.id).data] == [sent.id]
assert [d.id for d in attempts.list_attempted_destinations(app.id, sent.id).data] == [endpoint.id]
assert svix.endpoint.get_stats(app.id, endpoint.id).success == 1
attempts.resend(app.id, sent.id, endpoint.id)
assert svix.endpoint.send_example(app.id, endpoint.id, EventExampleIn(event_type=kind.name)).event_type == kind.name
assert svix.endpoint.recover(app.id, endpoint.id, RecoverIn(since=datetime.now(timezone.utc) - timedelta(hours=1))).id
attempts.expunge_content(app.id, sent.id, made[0].id)
svix.message.expunge_content(app.id, sent.id)

portal = svix.authentication.app_portal_access(app.id, AppPortalAccessIn())
assert portal.url and portal.token
Svix(portal.token, SvixOptions(server_url=url, timeout=60.0)).authentication.logout()

svix.endpoint.delete(app.id, endpoint.id)
svix.event_type.delete(kind.name, EventTypeDeleteOptions(expunge=True))
svix.application.delete(app.id)
assert svix.application.list().data == []
