// Converts the reference cases to GGUF with ./kvasir quantize, evaluates them in node-llama-cpp and compares with their golden logits.
//   node families.mjs KVASIR REFERENCE_FOLDER [CASE ...]; see compare-families.sh
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {createRequire} from "node:module";
import {execFileSync} from "node:child_process";
import {pathToFileURL} from "node:url";

const peer = createRequire(path.join(process.cwd(), "x.js")).resolve("node-llama-cpp");
const {getLlama} = await import(pathToFileURL(peer));
const [kvasir, reference, ...chosen] = process.argv.slice(2);
const RECURRENT = ["mamba2", "falcon_h1", "lfm2", "qwen3_next", "qwen3_5"];
const work = fs.mkdtempSync(path.join(os.tmpdir(), "kvasir-families-"));
const llama = await getLlama({gpu: false, build: "never", logLevel: "disabled", progressLogs: false});

// The cases have no tokenizer; the peer wants one: bytes, and names for the last ids, those that it looks for among them.
function tokenizer(size) {
  const bytes = Math.min(256, size - 8);
  const visible = [...Array(256).keys()].filter(b => b > 32 && b < 127 || b > 160 && b !== 173);
  const hidden = [...Array(256).keys()].filter(b => !visible.includes(b));
  const tokens = [...Array(bytes).keys()].map(b => String.fromCodePoint(visible.includes(b) ? b : 256 + hidden.indexOf(b)));
  const names = ["<unk>", "<s>", "<|endoftext|>", "</s>"];
  return {
    added_tokens: [...Array(size - bytes).keys()].map(i => ({id: bytes + i, content: names[i] ?? `<|x${i}|>`, special: true})),
    pre_tokenizer: {type: "ByteLevel", add_prefix_space: false, use_regex: true},
    decoder: {type: "ByteLevel"},
    model: {type: "BPE", vocab: Object.fromEntries(tokens.map((t, i) => [t, i])), merges: [["A", "B"]]}};
}

function convert(name) {
  const folder = path.join(work, name);
  fs.cpSync(path.join(reference, name), folder, {recursive: true});
  fs.writeFileSync(path.join(folder, "tokenizer.json"), JSON.stringify(tokenizer(golden(name).columns)));
  fs.writeFileSync(path.join(folder, "tokenizer_config.json"),
    JSON.stringify({add_bos_token: false, bos_token: "<s>", eos_token: "<|endoftext|>"}));
  const file = path.join(work, name + ".gguf");
  execFileSync(kvasir, ["quantize", folder, file, "f32"], {stdio: ["ignore", "ignore", "pipe"]});
  return file;
}

function golden(name) {
  const bytes = fs.readFileSync(path.join(reference, name, "golden.safetensors"));
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start));
  const raw = key => new Uint8Array(bytes.subarray(...header[key].data_offsets.map(at => start + at))).buffer;
  const ids = header.input_ids.dtype === "I64" ? [...new BigInt64Array(raw("input_ids"))].map(Number) : [...new Int32Array(raw("input_ids"))];
  return {ids, logits: new Float32Array(raw("logits")), columns: header.logits.shape.at(-1)};
}

async function compare(name) {
  const model = await llama.loadModel({modelPath: convert(name)});
  const {ids, logits, columns} = golden(name);
  const context = await model.createContext({
    contextSize: 256, flashAttention: false, threads: Number(process.env.THREADS ?? 2),
    experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32"});
  const steps = await context.getSequence().controlledEvaluate(ids.map(id => [id, {generateNext: {probabilities: true}}]));
  let worst = 0, top = 0;
  steps.forEach(({next: {probabilities}}, i) => {
    const row = logits.subarray(i * columns, (i + 1) * columns);
    const best = row.indexOf(Math.max(...row));
    const normal = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
    let likeliest = -1, most = -1;
    for (const [id, p] of probabilities) {
      worst = Math.max(worst, Math.abs(Math.log(p) - row[id] + normal));
      if (p > most) [likeliest, most] = [id, p];
    }
    top += likeliest === best;
  });
  await context.dispose();
  await model.dispose();
  return `top-1 ${top}/${ids.length}   largest difference of a log-probability ${worst.toExponential(1)}`;
}

const names = chosen.length > 0 ? chosen
  : fs.readdirSync(reference).filter(n => fs.existsSync(path.join(reference, n, "golden.safetensors")) && !RECURRENT.includes(n));
for (const name of names) {
  const line = await compare(name).catch(e => `not loaded: ${String(e.message).split("\n")[0]}`);
  console.log(name.padEnd(20) + " " + line);
}
fs.rmSync(work, {recursive: true});
process.exit(0);
