// Greedy answers of node-llama-cpp to prompts that are already rendered, and how it rates the answers of another engine.
//   node greedy.mjs MODEL.gguf CASES.json TOKENS > RESULT.json
// CASES.json: [{"prompt": TEXT, "answer": TEXT}, ...]; special tokens in TEXT are recognised.
// Each result: the prompt's token count, both answers as ids, and where they part, the two ids with their log-probabilities.
import fs from "node:fs";
import path from "node:path";
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";

const peer = createRequire(path.join(process.cwd(), "x.js")).resolve("node-llama-cpp");
const {getLlama} = await import(pathToFileURL(peer));
const [file, casesFile, tokens] = process.argv.slice(2);
const cases = JSON.parse(fs.readFileSync(casesFile, "utf8"));
const llama = await getLlama({gpu: false, build: "never", logLevel: "error", progressLogs: false});
const model = await llama.loadModel({modelPath: path.resolve(file)});
const context = await model.createContext({
  contextSize: 1024, flashAttention: false, threads: Number(process.env.THREADS ?? 2),
  experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32"});
const sequence = context.getSequence();

// The log-probabilities of two tokens after `ids`; none stands for the end of the answer.
async function rate(ids, at, own, other) {
  await sequence.clearHistory();
  const input = ids.map((id, i) =>
    i === ids.length - 1 ? [id, {generateNext: {probabilities: true, options: {temperature: 0}}}] : id);
  const {probabilities} = (await sequence.controlledEvaluate(input)).at(-1).next;
  const ends = [...probabilities.keys()].filter(id => model.isEogToken(id)).map(id => probabilities.get(id));
  const log = id => Math.log(id == null ? Math.max(...ends) : probabilities.get(id));
  return {at, own, other, ownLog: log(own), otherLog: log(other)};
}

const results = [];
for (const {prompt, answer} of cases) {
  await sequence.clearHistory();
  if (process.stderr.isTTY) process.stderr.write(`\r${results.length + 1} of ${cases.length}`);
  const promptIds = [...model.tokenize(prompt, true)];
  const given = [...model.tokenize(answer, false)];
  const own = [];
  for await (const token of sequence.evaluate(promptIds, {temperature: 0, yieldEogToken: true})) {
    if (model.isEogToken(token)) break;
    own.push(token);
    if (own.length >= Number(tokens)) break;
  }
  let at = 0;
  while (at < own.length && own[at] === given[at]) at++;
  const parts = at < Math.max(own.length, given.length);
  const parting = parts ? await rate(promptIds.concat(own.slice(0, at)), at, own[at], given[at]) : null;
  results.push({promptTokens: promptIds.length, text: model.detokenize(own), ids: own, given, parting});
}
process.stdout.write(JSON.stringify(results));
process.exit(0);
