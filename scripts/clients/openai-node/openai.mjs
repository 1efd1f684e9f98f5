// OpenAI's JavaScript client against Kvasir: KVASIR_URL=... [KVASIR_CLIENT=openai] node --test openai.mjs
import assert from "node:assert/strict";
import {test} from "node:test";
import {assertAborts, assertClose, assertPerson, person, url} from "./cases.mjs";

const library = process.env.KVASIR_CLIENT ?? "openai";
const {default: OpenAI, BadRequestError, NotFoundError} = await import(library);
const client = new OpenAI({baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0});
const model = "kvasir-stories";
const ask = (text, more) => ({
  model, messages: [{role: "user", content: text}], temperature: 0, max_completion_tokens: 12, ...more,
});
const chat = (text, more, options) => client.chat.completions.create(ask(text, more), options);
const content = answer => answer.choices[0].message.content;
const check = (name, body) => test(`${library}: ${name}`, {timeout: 60_000}, body);
const meet = {type: "function", function: {name: "meet", description: "Meets a person.", parameters: person, strict: true}};
const hot = {temperature: 1.2, seed: 7, max_completion_tokens: 80};

check("models list and retrieve", async () => {
  const ids = [];
  for await (const each of client.models.list()) ids.push(each.id);
  assert.deepEqual(ids, [model]);
  assert.equal((await client.models.retrieve(model)).object, "model");
});

check("chat", async () => {
  const answer = await chat("Tell me a story about a fox.");
  assert.match(answer.id, /^chatcmpl-/);
  assert.equal(answer.object, "chat.completion");
  assert.ok(content(answer).length > 0);
  assert.equal(answer.choices[0].finish_reason, "length");
  assert.equal(answer.usage.completion_tokens, 12);
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + 12);
});

check("chat with earlier turns and content parts", async () => {
  const answer = await client.chat.completions.create({...ask(""), messages: [
    {role: "developer", content: "You tell stories."},
    {role: "user", content: [{type: "text", text: "A fox?"}]},
    {role: "assistant", content: "There was a fox."},
    {role: "user", content: "And then?"},
  ]});
  assert.ok(content(answer).length > 0);
});

check("chat as a stream, with usage", async () => {
  const whole = await chat("Tell me a story about a fox.");
  let text = "";
  let last;
  for await (const chunk of await chat("Tell me a story about a fox.",
      {stream: true, stream_options: {include_usage: true}})) {
    text += chunk.choices[0]?.delta?.content ?? "";
    last = chunk;
  }
  assert.equal(text, content(whole));
  assert.equal(last.usage.completion_tokens, 12);
});

check("stream helper puts the answer together", async () => {
  const events = [];
  const stream = client.chat.completions.stream(ask("A hen?"));
  stream.on("content", delta => events.push(delta));
  const answer = await stream.finalChatCompletion();
  assert.equal(content(answer), events.join(""));
  assert.equal(content(answer), content(await chat("A hen?")));
});

check("tool call, its result, the answer", async () => {
  const first = await chat("Who is it?", {...hot, tools: [meet], tool_choice: "required", parallel_tool_calls: false});
  assert.equal(first.choices[0].finish_reason, "tool_calls");
  const [call] = first.choices[0].message.tool_calls;
  assert.equal(call.function.name, "meet");
  assertPerson(JSON.parse(call.function.arguments));
  const second = await client.chat.completions.create({...ask(""), tools: [meet], messages: [
    {role: "user", content: "Who is it?"}, first.choices[0].message,
    {role: "tool", tool_call_id: call.id, content: "A friend."},
  ]});
  assert.equal(second.choices.length, 1);
});

check("tool call by name, streamed", async () => {
  const stream = client.chat.completions.stream(ask("Who is it?",
    {...hot, tools: [meet], tool_choice: {type: "function", function: {name: "meet"}}}));
  const answer = await stream.finalChatCompletion();
  assertPerson(JSON.parse(answer.choices[0].message.tool_calls[0].function.arguments));
});

check("runTools calls the function and goes on", async () => {
  let met = 0;
  const runner = client.chat.completions.runTools(ask("Who is it?", {...hot, tool_choice: {type: "function", function: {name: "meet"}},
    tools: [{type: "function", function: {...meet.function, parse: JSON.parse, function: () => `friend ${++met}`}}]}));
  await runner.done();
  assert.equal(met, 1);
});

check("json_schema", async () => {
  const answer = await client.chat.completions.parse(ask("Who is it?",
    {...hot, response_format: {type: "json_schema", json_schema: {name: "person", strict: true, schema: person}}}));
  assertPerson(JSON.parse(content(answer)));
  assert.equal(answer.choices[0].finish_reason, "stop");
});

check("json_schema as a stream", async () => {
  let text = "";
  for await (const chunk of await chat("Who is it?", {...hot, stream: true,
      response_format: {type: "json_schema", json_schema: {name: "person", strict: true, schema: person}}})) {
    text += chunk.choices[0]?.delta?.content ?? "";
  }
  assertPerson(JSON.parse(text));
});

check("json_object", async () => {
  const answer = await chat("Who is it?", {...hot, response_format: {type: "json_object"}});
  assert.equal(typeof JSON.parse(content(answer)), "object");
});

check("logprobs", async () => {
  const answer = await chat("Tell me a story about a bird.", {logprobs: true, top_logprobs: 3});
  const scores = answer.choices[0].logprobs.content;
  assert.equal(scores.length, 12);
  for (const score of scores) {
    assert.equal(score.top_logprobs.length, 3);
    assert.equal(score.top_logprobs[0].logprob, score.logprob);
    assert.equal(Buffer.from(score.bytes).toString(), score.token);
  }
  assert.equal(scores.map(score => score.token).join(""), content(answer));
});

check("logprobs as a stream", async () => {
  const scores = [];
  for await (const chunk of await chat("Tell me a story about a bird.", {logprobs: true, top_logprobs: 2, stream: true})) {
    scores.push(...chunk.choices[0]?.logprobs?.content ?? []);
  }
  assert.equal(scores.length, 12);
});

check("n=3", async () => {
  const answer = await chat("A cat?", {n: 3, temperature: 1, seed: 3});
  assert.deepEqual(answer.choices.map(choice => choice.index), [0, 1, 2]);
  assert.equal(new Set(answer.choices.map(choice => choice.message.content)).size, 3);
});

check("n=3 as a stream", async () => {
  const whole = await chat("A cat?", {n: 3, temperature: 1, seed: 3});
  const texts = ["", "", ""];
  for await (const chunk of await chat("A cat?", {n: 3, temperature: 1, seed: 3, stream: true})) {
    for (const choice of chunk.choices) texts[choice.index] += choice.delta.content ?? "";
  }
  assert.deepEqual(texts, whole.choices.map(choice => choice.message.content));
});

check("stop, one and several", async () => {
  const whole = content(await chat("A dog?"));
  const word = whole.split(" ")[2];
  for (const stop of [word, ["never said", word]]) {
    const cut = await chat("A dog?", {stop});
    assert.equal(content(cut), whole.slice(0, whole.indexOf(word)));
    assert.equal(cut.choices[0].finish_reason, "stop");
  }
});

const endless = {max_completion_tokens: 3000, ignore_eos: true};

check("abort mid-stream by leaving the loop", () => assertAborts(3000, async () => {
  let chunks = 0;
  for await (const _ of await chat("Go on.", {...endless, stream: true})) {
    if (++chunks === 5) break;
  }
}));

check("abort mid-stream by a signal", () => assertAborts(3000, async () => {
  const abort = new AbortController();
  let chunks = 0;
  for await (const _ of await chat("Go on and on.", {...endless, stream: true}, {signal: abort.signal})) {
    if (++chunks < 5) continue;
    abort.abort();
    break; // Node 20 may leave the next read pending for ever
  }
}));

check("abort before the answer", () => assertAborts(3000, async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 100);
  await assert.rejects(chat("Go on.", endless, {signal: abort.signal}), /abort/i);
}));

check("embeddings, base64 as by default and float", async () => {
  const input = ["a fox", "a hen"];
  const packed = await client.embeddings.create({model, input});
  const plain = await client.embeddings.create({model, input, encoding_format: "float"});
  assert.equal(packed.data.length, 2);
  packed.data.forEach((each, i) => assertClose(each.embedding, plain.data[i].embedding));
  assertClose([Math.hypot(...plain.data[0].embedding)], [1]);
  assert.ok(plain.usage.prompt_tokens > 0);
});

check("completion of a text", async () => {
  const answer = await client.completions.create({model, prompt: "Once upon a time", max_tokens: 8, temperature: 0, logprobs: 2});
  assert.equal(answer.object, "text_completion");
  assert.ok(answer.choices[0].text.length > 0);
  assert.equal(answer.choices[0].logprobs.tokens.length, 8);
});

check("completion of token ids, as of their text", async () => {
  const {tokens} = await client.post("/tokenize", {body: {model, prompt: "Once upon a time"}});
  const more = {model, max_tokens: 8, temperature: 0};
  const ofText = await client.completions.create({...more, prompt: "Once upon a time"});
  const ofIds = await client.completions.create({...more, prompt: tokens});
  assert.equal(ofIds.choices[0].text, ofText.choices[0].text);
  assert.equal(ofIds.usage.prompt_tokens, tokens.length);
  const ofLists = await client.completions.create({...more, prompt: [tokens, tokens.slice(0, 3)]});
  assert.deepEqual(ofLists.choices.map(choice => choice.index), [0, 1]);
  assert.equal(ofLists.choices[0].text, ofText.choices[0].text);
});

check("completion as a stream", async () => {
  let text = "";
  for await (const chunk of await client.completions.create(
      {model, prompt: "Once upon a time", max_tokens: 8, temperature: 0, stream: true})) {
    text += chunk.choices[0]?.text ?? "";
  }
  assert.ok(text.length > 0);
});

check("response, and the one after it", async () => {
  const first = await client.responses.create({model, input: "A fox?", instructions: "You tell stories.", temperature: 0, max_output_tokens: 8});
  assert.equal(first.object, "response");
  assert.equal(first.status, "incomplete");
  assert.ok(first.output_text.length > 0);
  assert.equal(first.usage.output_tokens, 8);
  const next = await client.responses.create({model, input: "And then?", previous_response_id: first.id, temperature: 0, max_output_tokens: 8});
  assert.equal(next.previous_response_id, first.id);
  assert.equal((await client.responses.retrieve(first.id)).output_text, first.output_text);
  await client.responses.delete(first.id);
  await assert.rejects(client.responses.retrieve(first.id), NotFoundError);
});

check("response as a stream", async () => {
  const stream = client.responses.stream({model, input: "A fox?", temperature: 0, max_output_tokens: 8});
  let text = "";
  stream.on("response.output_text.delta", event => text += event.delta);
  const answer = await stream.finalResponse();
  assert.equal(answer.output_text, text);
  assert.ok(text.length > 0);
});

check("response with a tool call", async () => {
  const answer = await client.responses.create({model, input: "Who is it?", temperature: 1.2, max_output_tokens: 80,
    tools: [{type: "function", name: "meet", parameters: person, strict: true}], tool_choice: "required"});
  const call = answer.output.find(item => item.type === "function_call");
  assert.equal(call.name, "meet");
  assertPerson(JSON.parse(call.arguments));
});

check("response in a JSON schema", async () => {
  const answer = await client.responses.parse({model, input: "Who is it?", temperature: 1.2, max_output_tokens: 80,
    text: {format: {type: "json_schema", name: "person", strict: true, schema: person}}});
  assertPerson(JSON.parse(answer.output_text));
});

check("errors are the client's own", async () => {
  await assert.rejects(chat("x", {max_completion_tokens: 1_000_000}), error =>
    error instanceof BadRequestError && error.code === "context_length_exceeded");
  await assert.rejects(chat("x", {model: "other"}), error => error instanceof NotFoundError && error.code === "model_not_found");
  await assert.rejects(chat("x", {temperature: -1}), error => error instanceof BadRequestError && error.param === "temperature");
  await assert.rejects(chat("x", {max_completion_tokens: 1_000_000, stream: true}), BadRequestError);
});
