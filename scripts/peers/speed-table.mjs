// Brings what ./kvasir bench --json and speed.mjs print to one form, and makes a table of it.
//   node speed-table.mjs own WEIGHTS < BENCH.json      a line for each result
//   node speed-table.mjs theirs WEIGHTS ENGINE < LINES
//   node speed-table.mjs table < LINES                 medians, and how many times the best of llama.cpp's caches
import fs from "node:fs";

const [what, weights, engine] = process.argv.slice(2);
const input = fs.readFileSync(0, "utf8");
const put = line => console.log(JSON.stringify(line));

if (what === "own") {
  for (const r of JSON.parse(input))
    put({engine: "kvasir", weights, cache: r.kv_format, depth: r.n_depth, test: r.n_prompt ? "prompt" : "answer",
      rate: r.tokens_per_second, read: r.gigabytes_per_second, copy: r.copy_gigabytes_per_second});
} else if (what === "theirs") {
  for (const line of input.trim().split("\n").filter(Boolean)) {
    const r = JSON.parse(line);
    for (const test of ["prompt", "answer"])
      put({engine, weights, cache: r.format.toLowerCase(), depth: r.depth, test, rate: r[test]});
  }
} else {
  const groups = new Map();
  for (const line of input.trim().split("\n").filter(Boolean)) {
    const r = JSON.parse(line);
    const key = [r.weights, r.test, r.depth, r.engine, r.cache].join("|");
    groups.set(key, [...(groups.get(key) ?? []), r]);
  }
  const median = values => {
    const sorted = [...values].sort((a, b) => a - b);
    const half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  };
  const best = (weight, test, depth) => Math.max(...[...groups.values()]
    .filter(([r]) => r.engine === "llama.cpp" && r.weights === weight && r.test === test && r.depth === depth)
    .map(runs => median(runs.map(r => r.rate))));
  console.log("| weights | test | depth | engine | cache | tokens/s | least to most | times the best llama.cpp | GB/s | of copy |");
  console.log("|---|---|---:|---|---|---:|---|---:|---:|---:|");
  for (const runs of groups.values()) {
    const [r] = runs;
    const rates = runs.map(run => run.rate);
    const peer = best(r.weights, r.test, r.depth);
    const times = r.engine === "kvasir" && peer > 0 ? (median(rates) / peer).toFixed(2) : "";
    const read = r.read ? median(runs.map(run => run.read)).toFixed(1) : "";
    const share = r.copy ? Math.round(100 * median(runs.map(run => run.read / run.copy))) + " %" : "";
    console.log(`| ${r.weights} | ${r.test} | ${r.depth} | ${r.engine} | ${r.cache} | ${median(rates).toFixed(1)} | ` +
      `${Math.min(...rates).toFixed(1)} to ${Math.max(...rates).toFixed(1)} | ${times} | ${read} | ${share} |`);
  }
}
