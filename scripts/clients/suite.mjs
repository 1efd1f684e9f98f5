// The official npm clients of OpenAI and Anthropic against a running server:
//   ./kvasir serve &
//   npm install --prefix scripts/clients openai @anthropic-ai/sdk
//   node scripts/clients/suite.mjs http://127.0.0.1:8080 [KEY]
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

const base = process.argv[2] ?? 'http://127.0.0.1:8080';
const apiKey = process.argv[3] ?? 'none';
const openai = new OpenAI({ baseURL: base + '/v1', apiKey, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: base, apiKey, maxRetries: 0 });
const model = (await openai.models.list()).data[0].id;
const messages = [{ role: 'user', content: 'Who is the fox?' }];
const short = { model, messages, max_tokens: 10, temperature: 0 };
const hot = { model, messages, max_tokens: 120, temperature: 1.2, seed: 3 };
const schema = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 8 },
    age: { type: 'integer', minimum: 0, maximum: 99 },
  },
  required: ['name', 'age'],
  additionalProperties: false,
};

let failures = 0;

async function check(name, action) {
  let shown = '';
  try {
    const good = await action();
    shown = good ? 'ok  ' : 'FAIL';
  } catch (e) {
    shown = 'FAIL ' + e;
  }
  failures += shown.startsWith('ok') ? 0 : 1;
  console.log(shown, name);
}

const person = (text) => Number.isInteger(JSON.parse(text).age);

await check('chat: whole equals streamed', async () => {
  const whole = await openai.chat.completions.create(short);
  const stream = await openai.chat.completions.stream(short).finalChatCompletion();
  return stream.choices[0].message.content === whole.choices[0].message.content;
});
await check('chat: three answers', async () =>
  (await openai.chat.completions.create({ ...hot, max_tokens: 8, n: 3 })).choices.length === 3);
await check('chat: streamed tool calls', async () => {
  const tools = [{ type: 'function', function: { name: 'meet', parameters: schema } }];
  const answer = await openai.chat.completions
    .stream({ ...hot, tools, tool_choice: 'required' })
    .finalChatCompletion();
  const call = answer.choices[0].message.tool_calls[0].function;
  return answer.choices[0].finish_reason === 'tool_calls' && person(call.arguments);
});
await check('chat: json_schema', async () => {
  const format = { type: 'json_schema', json_schema: { name: 'p', strict: true, schema } };
  const answer = await openai.chat.completions.create({ ...hot, response_format: format });
  return person(answer.choices[0].message.content);
});
await check('chat: logprobs', async () => {
  const answer = await openai.chat.completions.create({ ...short, logprobs: true, top_logprobs: 2 });
  return answer.choices[0].logprobs.content.every((entry) => entry.top_logprobs.length === 2);
});
await check('chat: abort in mid-stream', async () => {
  const stream = await openai.chat.completions.create({ ...hot, max_tokens: 2000, stream: true });
  for await (const _ of stream) {
    stream.controller.abort();
  }
  return true;
});
await check('completion: token ids', async () =>
  (await openai.completions.create({ model, prompt: [5, 6, 7], max_tokens: 4 })).usage.prompt_tokens === 3);
await check('embeddings', async () => {
  const answer = await openai.embeddings.create({ model, input: ['a fox', 'a hen'] });
  return answer.data[0].embedding.length === answer.data[1].embedding.length;
});
await check('responses: whole, then given again', async () => {
  const answer = await openai.responses.create({ model, input: 'A fox?', max_output_tokens: 8 });
  const again = await openai.responses.retrieve(answer.id);
  return again.output_text === answer.output_text;
});
await check('responses: streamed tool call', async () => {
  const tools = [{ type: 'function', name: 'meet', parameters: schema, strict: true }];
  const request = { model, input: 'A fox?', max_output_tokens: 120, tools, tool_choice: 'required' };
  const answer = await openai.responses.stream(request).finalResponse();
  return answer.output[0].type === 'function_call' && person(answer.output[0].arguments);
});
await check('messages: whole equals streamed', async () => {
  const whole = await anthropic.messages.create(short);
  const stream = await anthropic.messages.stream(short).finalMessage();
  return stream.content[0].text === whole.content[0].text;
});
await check('messages: streamed tool use', async () => {
  const tools = [{ name: 'meet', input_schema: schema }];
  const request = { model, messages, max_tokens: 120, tools, tool_choice: { type: 'any' } };
  const answer = await anthropic.messages.stream(request).finalMessage();
  return answer.stop_reason === 'tool_use' && Number.isInteger(answer.content[0].input.age);
});
await check('messages: count_tokens', async () =>
  (await anthropic.messages.countTokens({ model, messages })).input_tokens > 3);
await check('errors: 400 and 404', async () => {
  const long = await openai.chat.completions.create({ ...short, max_tokens: 1e8 }).catch((e) => e);
  const other = await anthropic.messages.create({ ...short, model: 'other' }).catch((e) => e);
  return long.code === 'context_length_exceeded' && other instanceof Anthropic.NotFoundError;
});
process.exit(failures === 0 ? 0 : 1);
