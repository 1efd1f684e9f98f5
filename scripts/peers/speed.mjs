// Tokens per second of llama.cpp (node-llama-cpp 3.22.1), to set beside ./kvasir bench on the same GGUF.
//   npm install node-llama-cpp@3.22.1 && node speed.mjs MODEL.gguf THREADS PROMPT ANSWER DEPTH,DEPTH [F16|Q8_0] [on|off]
// The last argument switches flash attention. Prints one JSON object per depth.
import {getLlama} from "node-llama-cpp";

const [file, threads, prompt, answer, depthList, format = "F16", flash = "on"] = process.argv.slice(2);
const llama = await getLlama({gpu: false, build: "never", logLevel: "error", maxThreads: Number(threads), progressLogs: false});
const model = await llama.loadModel({modelPath: file, useMmap: true});
const depths = depthList.split(",").map(Number);
const context = await model.createContext({
  contextSize: Math.max(...depths) + Number(prompt) + Number(answer) + 64, batchSize: 512, threads: Number(threads),
  experimentalKvCacheKeyType: format, experimentalKvCacheValueType: format, flashAttention: flash === "on"
});
const tokens = (count, seed) => Array.from({length: count}, (_, i) => 300 + ((i + seed) * 7919) % 20000);

for (const depth of depths) {
  const sequence = context.getSequence();
  if (depth > 0) await sequence.evaluateWithoutGeneratingNewTokens(tokens(depth, 1));
  const start = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(tokens(Number(prompt), 2));
  const promptMs = performance.now() - start;
  await sequence.eraseContextTokenRanges([{start: depth, end: depth + Number(prompt)}]);
  let count = 0;
  let first = 0;
  for await (const token of sequence.evaluate([301], {temperature: 0, yieldEogToken: true})) {
    if (count === 0) first = performance.now();
    if (++count > Number(answer)) break;
  }
  const answerMs = performance.now() - first;
  console.log(JSON.stringify({depth, format, flash, prompt: prompt / promptMs * 1000, answer: (count - 1) / answerMs * 1000}));
  sequence.dispose();
}
process.exit(0);
