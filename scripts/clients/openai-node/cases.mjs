// What the suites share.
import assert from "node:assert/strict";

export const url = process.env.KVASIR_URL;
assert.ok(url, "KVASIR_URL names the server");

export const person = {
  type: "object",
  properties: {
    name: {type: "string", maxLength: 8},
    age: {type: "integer", minimum: 0, maximum: 99},
  },
  required: ["name", "age"],
  additionalProperties: false,
};

export function assertPerson(value) {
  assert.deepEqual(Object.keys(value).sort(), ["age", "name"]);
  assert.equal(typeof value.name, "string");
  assert.ok(Number.isInteger(value.age) && value.age >= 0 && value.age <= 99, `age ${value.age}`);
}

export function assertClose(actual, expected) {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-5, `${value} is not ${expected[i]} at ${i}`));
}

async function metric(name) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.eE+]+)`, "m").exec(text)[1]);
}

// Proves that `body`, which hangs up on an answer of `tokens` tokens, leaves the server idle with most of them not computed.
export async function assertAborts(tokens, body) {
  const before = await metric("vllm:generation_tokens_total");
  await body();
  for (let i = 0; await metric("vllm:num_requests_running") + await metric("vllm:num_requests_waiting") > 0; i++) {
    assert.ok(i < 100, "the request still runs after five seconds");
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  const computed = await metric("vllm:generation_tokens_total") - before;
  assert.ok(computed < tokens / 2, `${computed} of ${tokens} tokens were computed`);
}
