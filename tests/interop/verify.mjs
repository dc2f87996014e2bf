// Verifies one request with the npm package `standardwebhooks`: secret, headers and body as JSON on standard input.
// Prints the payload, or "refused: " and why, as JSON.
import { Webhook } from "standardwebhooks";

let input = "";
for await (const piece of process.stdin) input += piece;
const { secret, headers, body } = JSON.parse(input);
try {
    const payload = new Webhook(secret).verify(Buffer.from(body, "base64"), headers);
    console.log(JSON.stringify({ payload }));
} catch (error) {
    console.log(JSON.stringify({ refused: error.message }));
}
