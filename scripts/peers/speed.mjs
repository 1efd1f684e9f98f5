// Tokens per second of llama.cpp (node-llama-cpp 3.22.1); speed.sh sets it beside ./kvasir bench on the same GGUF.
//   node speed.mjs MODEL.gguf THREADS PROMPT ANSWER DEPTH,DEPTH [F16|Q8_0|Q4_0] [on|off]      in a folder that has node-llama-cpp
// The last argument switches flash attention. Prints one JSON object per depth. What fills the cache is computed once, not timed.
import path from "node:path";
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";

const peer = createRequire(path.join(process.cwd(), "x.js")).resolve("node-llama-cpp");
const {getLlama} = await import(pathToFileURL(peer));
const [file, threads, prompt, answer, depthList, format = "F16", flash = "on"] = process.argv.slice(2);
const llama = await getLlama({gpu: false, build: "never", logLevel: "error", maxThreads: Number(threads), progressLogs: false});
const model = await llama.loadModel({modelPath: file, useMmap: true});
const depths = depthList.split(",").map(Number).sort((a, b) => a - b);
const context = await model.createContext({
  contextSize: Math.max(...depths) + Number(prompt) + Number(answer) + 64, batchSize: 512, threads: Number(threads),
  experimentalKvCacheKeyType: format, experimentalKvCacheValueType: format, flashAttention: flash === "on"
});
const tokens = (from, to, seed) => Array.from({length: to - from}, (_, i) => (300 + ((from + i + seed) * 7919) % 20000) % 500);
const sequence = context.getSequence();
const back = async depth => {
  if (sequence.nextTokenIndex > depth)
    await sequence.eraseContextTokenRanges([{start: depth, end: sequence.nextTokenIndex}]);
};

for (const depth of depths) {
  if (depth > sequence.nextTokenIndex) await sequence.evaluateWithoutGeneratingNewTokens(tokens(sequence.nextTokenIndex, depth, 1));
  await sequence.evaluateWithoutGeneratingNewTokens(tokens(0, 16, 3));
  await back(depth);
  const start = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(tokens(0, Number(prompt), 2));
  const promptMs = performance.now() - start;
  await back(depth);
  let count = 0;
  let first = 0;
  for await (const token of sequence.evaluate([301], {temperature: 0, yieldEogToken: true})) {
    if (count === 0) first = performance.now();
    if (++count > Number(answer)) break;
  }
  const answerMs = performance.now() - first;
  await back(depth);
  console.log(JSON.stringify({depth, format, flash, prompt: prompt / promptMs * 1000, answer: (count - 1) / answerMs * 1000}));
}
process.exit(0);
