// Code to paste, with the person's own ids.

const KEY = '$POSTHORN_KEY'

function oneLine(payload: string) {
  try {
    return JSON.stringify(JSON.parse(payload))
  } catch {
    return '{}'
  }
}

export function sendSnippets(server: string, app: string, eventType: string, payload: string): Record<string, string> {
  const json = oneLine(payload)
  return {
    curl: `curl ${server}/api/v1/app/${app}/msg \\
  -H "Authorization: Bearer ${KEY}" \\
  -H 'Content-Type: application/json' \\
  -d '${`{"eventType":"${eventType}","payload":${json}}`.replaceAll("'", "'\\''")}'`,
    Python: `# pip install svix
import json, os
from svix.api import Svix, SvixOptions, MessageIn

svix = Svix(os.environ["POSTHORN_KEY"], SvixOptions(server_url="${server}"))
svix.message.create("${app}", MessageIn(
    event_type="${eventType}",
    payload=json.loads(${JSON.stringify(json)}),
))`,
    JavaScript: `// npm install svix
import { Svix } from "svix";

const svix = new Svix(process.env.POSTHORN_KEY, { serverUrl: "${server}" });
await svix.message.create("${app}", {
  eventType: "${eventType}",
  payload: ${json},
});`,
    Go: `// go get github.com/svix/svix-webhooks/go
serverURL, _ := url.Parse("${server}")
client, err := svix.New(os.Getenv("POSTHORN_KEY"), &svix.SvixOptions{ServerUrl: serverURL})
if err != nil {
	log.Fatal(err)
}
var payload map[string]any
if err := json.Unmarshal([]byte(${JSON.stringify(json)}), &payload); err != nil {
	log.Fatal(err)
}
_, err = client.Message.Create(ctx, "${app}", models.MessageIn{
	EventType: "${eventType}",
	Payload:   payload,
}, nil)`,
  }
}

// For receivers: the libraries of Standard Webhooks.
export function verifySnippets(secret: string): Record<string, string> {
  return {
    Python: `# pip install standardwebhooks
from standardwebhooks import Webhook

# body: the bytes as they came; headers: those of the request
event = Webhook("${secret}").verify(body, headers)  # raises when the signature is wrong`,
    JavaScript: `// npm install standardwebhooks
import { Webhook } from "standardwebhooks";

// body: the text as it came, not parsed
const event = new Webhook("${secret}").verify(body, headers); // throws when the signature is wrong`,
    Go: `// go get github.com/standard-webhooks/standard-webhooks/libraries/go
wh, err := standardwebhooks.NewWebhook("${secret}")
if err != nil {
	log.Fatal(err)
}
err = wh.Verify(body, request.Header) // an error when the signature is wrong`,
    curl: `# by hand: the HMAC-SHA256 of "id.timestamp.body" is the part of webhook-signature after "v1,"
KEY=$(printf %s '${secret.replace(/^whsec_/, '')}' | base64 -d | od -An -vtx1 | tr -d ' \\n')
printf '%s.%s.%s' "$WEBHOOK_ID" "$WEBHOOK_TIMESTAMP" "$BODY" \\
  | openssl dgst -sha256 -mac HMAC -macopt hexkey:$KEY -binary | base64`,
  }
}

export function fetchSnippets(server: string, app: string, endpoint: string): Record<string, string> {
  const url = `${server}/api/v1/app/${app}/poller/${endpoint}`
  return {
    curl: `curl "${url}?limit=50&iterator=$ITERATOR" \\
  -H "Authorization: Bearer ${KEY}"`,
    Python: `# pip install httpx
import httpx, os, time

client = httpx.Client(headers={"Authorization": "Bearer " + os.environ["POSTHORN_KEY"]})
iterator = None
while True:
    page = client.get("${url}", params={"iterator": iterator} if iterator else {}).raise_for_status().json()
    for message in page["data"]:
        print(message["eventType"], message["payload"])
    iterator = page["iterator"]
    if page["done"]:
        time.sleep(5)`,
    JavaScript: `const headers = { authorization: \`Bearer \${process.env.POSTHORN_KEY}\` };
let iterator = "";
for (;;) {
  const query = iterator ? \`?iterator=\${encodeURIComponent(iterator)}\` : "";
  const page = await (await fetch("${url}" + query, { headers })).json();
  for (const message of page.data) console.log(message.eventType, message.payload);
  iterator = page.iterator ?? iterator;
  if (page.done) await new Promise((resolve) => setTimeout(resolve, 5000));
}`,
  }
}
