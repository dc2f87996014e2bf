// verify.mjs LIBRARY: verifies requests by a published library, standardwebhooks, stripe or octokit. Standard input is a JSON
// list of {"secret", "headers": [[name, value]], "body": base64}; standard output a list of "ok" or the library's complaint.
import { verify as octokit } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";

const header = (request, name) => request.headers.find(([n]) => n.toLowerCase() === name)?.[1];

const libraries = {
  standardwebhooks: ({ secret, headers }, body) =>
    new Webhook(secret).verify(body.toString(), Object.fromEntries(headers.map(([n, v]) => [n.toLowerCase(), v]))),
  stripe: (request, body) => Stripe.webhooks.constructEvent(body, header(request, "stripe-signature"), request.secret),
  octokit: async (request, body) => {
    if (!(await octokit(request.secret, body.toString(), header(request, "x-hub-signature-256"))))
      throw new Error("not verified");
  },
};

let input = "";
for await (const chunk of process.stdin) input += chunk;
const results = [];
for (const request of JSON.parse(input)) {
  try {
    await libraries[process.argv[2]](request, Buffer.from(request.body, "base64"));
    results.push("ok");
  } catch (error) {
    results.push(error.message);
  }
}
console.log(JSON.stringify(results));
