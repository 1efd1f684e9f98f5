// Anthropic's JavaScript client against Kvasir: KVASIR_URL=... node --test anthropic.mjs
import assert from "node:assert/strict";
import {test} from "node:test";
import Anthropic, {BadRequestError} from "@anthropic-ai/sdk";
import {assertAborts, assertPerson, person, url} from "./cases.mjs";

const client = new Anthropic({baseURL: url, apiKey: "none", maxRetries: 0});
const ask = (text, more) => ({
  model: "kvasir-stories", messages: [{role: "user", content: text}], max_tokens: 12, temperature: 0, ...more,
});
const check = (name, body) => test(`anthropic: ${name}`, {timeout: 60_000}, body);

check("message", async () => {
  const answer = await client.messages.create(ask("Tell me a story about a fox.", {system: "You tell stories."}));
  assert.equal(answer.type, "message");
  assert.ok(answer.content[0].text.length > 0);
  assert.equal(answer.stop_reason, "max_tokens");
  assert.equal(answer.usage.output_tokens, 12);
});

check("message as a stream", async () => {
  const whole = await client.messages.create(ask("A fox?"));
  const stream = client.messages.stream(ask("A fox?"));
  let text = "";
  stream.on("text", delta => text += delta);
  const answer = await stream.finalMessage();
  assert.equal(text, whole.content[0].text);
  assert.equal(answer.content[0].text, text);
});

check("stop sequence", async () => {
  const word = (await client.messages.create(ask("A dog?"))).content[0].text.split(" ")[2];
  const cut = await client.messages.create(ask("A dog?", {stop_sequences: [word]}));
  assert.equal(cut.stop_reason, "stop_sequence");
  assert.equal(cut.stop_sequence, word);
});

check("tool use, its result, the answer", async () => {
  const tools = [{name: "meet", description: "Meets a person.", input_schema: person}];
  const first = await client.messages.create(ask("Who is it?", {max_tokens: 80, temperature: 1, tools, tool_choice: {type: "any"}}));
  assert.equal(first.stop_reason, "tool_use");
  const call = first.content.find(block => block.type === "tool_use");
  assertPerson(call.input);
  const second = await client.messages.create({...ask(""), tools, messages: [
    {role: "user", content: "Who is it?"}, {role: "assistant", content: first.content},
    {role: "user", content: [{type: "tool_result", tool_use_id: call.id, content: "A friend."}]},
  ]});
  assert.equal(second.role, "assistant");
});

check("tool use as a stream", async () => {
  const stream = client.messages.stream(ask("Who is it?", {max_tokens: 80, temperature: 1,
    tools: [{name: "meet", input_schema: person}], tool_choice: {type: "tool", name: "meet"}}));
  const answer = await stream.finalMessage();
  assertPerson(answer.content.find(block => block.type === "tool_use").input);
});

check("count of tokens", async () => {
  const {messages, model} = ask("A fox?");
  assert.ok((await client.messages.countTokens({messages, model})).input_tokens > 0);
});

check("abort mid-stream", () => assertAborts(3000, async () => {
  let events = 0;
  for await (const _ of await client.messages.create(ask("Go on.", {stream: true, max_tokens: 3000, ignore_eos: true}))) {
    if (++events === 5) break;
  }
}));

check("errors are the client's own", async () => {
  await assert.rejects(client.messages.create(ask("x", {max_tokens: 8000})), error =>
    error instanceof BadRequestError && error.error.error.type === "invalid_request_error");
});
