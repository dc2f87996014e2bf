// scenario.mjs URL KEY RECEIVER: every operation of the interface that the JavaScript library `svix` has.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Svix } from "svix";

const [url, key, receiver] = process.argv.slice(2);
const svix = new Svix(key, { serverUrl: url });
const ids = (page) => page.data.map((item) => item.id);

await svix.health.get();

const app = await svix.application.create({ name: "One", uid: "scenario", metadata: { a: "b" }, throttleRate: 100 });
assert.equal((await svix.application.getOrCreate({ name: "Two", uid: "scenario" })).name, "One");
assert.deepEqual(await svix.application.get("scenario"), app);
assert.deepEqual((await svix.application.list()).data, [app]);
assert.equal((await svix.application.patch(app.id, { name: "Patched" })).name, "Patched");
assert.equal((await svix.application.upsert(app.id, { name: "Replaced", uid: "scenario" })).name, "Replaced");

const schemas = { 1: { type: "object", properties: { n: { type: "integer" } }, examples: [{ n: 7 }] } };
const kind = await svix.eventType.create({ name: "invoice.paid", description: "One", schemas });
assert.deepEqual(await svix.eventType.get("invoice.paid"), kind);
assert.deepEqual((await svix.eventType.list()).data.map((t) => t.name), [kind.name]);
assert.equal((await svix.eventType.patch(kind.name, { description: "Two" })).description, "Two");
assert.equal((await svix.eventType.upsert(kind.name, { description: "Three", schemas })).description, "Three");

const endpoint = await svix.endpoint.create(app.id, {
  url: receiver, uid: "hook", eventTypes: [kind.name], channels: ["c"], metadata: { a: "b" },
});
assert.deepEqual(await svix.endpoint.get(app.id, "hook"), endpoint);
assert.deepEqual((await svix.endpoint.list(app.id)).data, [endpoint]);
assert.equal((await svix.endpoint.patch(app.id, endpoint.id, { description: "Patched" })).description, "Patched");
assert.equal((await svix.endpoint.upsert(app.id, endpoint.id, { url: receiver, uid: "hook" })).description, "");
const old = (await svix.endpoint.getSecret(app.id, endpoint.id)).key;
await svix.endpoint.rotateSecret(app.id, endpoint.id, {});
assert.notEqual((await svix.endpoint.getSecret(app.id, endpoint.id)).key, old);
await svix.endpoint.setHeaders(app.id, endpoint.id, { headers: { "x-one": "1" } });
await svix.endpoint.patchHeaders(app.id, endpoint.id, { headers: { "x-two": "2" } });
assert.deepEqual((await svix.endpoint.getHeaders(app.id, endpoint.id)).headers, { "x-one": "1", "x-two": "2" });

const sent = await svix.message.create(app.id, {
  eventType: kind.name, eventId: "event-1", payload: { n: 1 }, channels: ["c"],
});
assert.equal((await svix.message.get(app.id, "event-1")).id, sent.id);
assert.deepEqual(ids(await svix.message.list(app.id)), [sent.id]);
const attempts = svix.messageAttempt;
let made = [];
for (let i = 0; i < 600 && made.length === 0; i++) {
  made = (await attempts.listByMsg(app.id, sent.id)).data;
  if (made.length === 0) await sleep(100);
}
assert.deepEqual(made.map((a) => [a.status, a.endpointId]), [[0, endpoint.id]]);
assert.deepEqual(ids(await attempts.listByEndpoint(app.id, endpoint.id)), [made[0].id]);
assert.equal((await attempts.get(app.id, sent.id, made[0].id)).responseStatusCode, 200);
assert.deepEqual(ids(await attempts.listAttemptedMessages(app.id, endpoint.id)), [sent.id]);
assert.deepEqual(ids(await attempts.listAttemptedDestinations(app.id, sent.id)), [endpoint.id]);
assert.equal((await svix.endpoint.getStats(app.id, endpoint.id)).success, 1);
await attempts.resend(app.id, sent.id, endpoint.id);
assert.equal((await svix.endpoint.sendExample(app.id, endpoint.id, { eventType: kind.name })).eventType, kind.name);
assert.ok((await svix.endpoint.recover(app.id, endpoint.id, { since: new Date(Date.now() - 3600_000) })).id);
await attempts.expungeContent(app.id, sent.id, made[0].id);
await svix.message.expungeContent(app.id, sent.id);

const portal = await svix.authentication.appPortalAccess(app.id, {});
assert.ok(portal.url && portal.token);
await new Svix(portal.token, { serverUrl: url }).authentication.logout();

await svix.endpoint.delete(app.id, endpoint.id);
await svix.eventType.delete(kind.name, { expunge: true });
await svix.application.delete(app.id);
assert.deepEqual((await svix.application.list()).data, []);
