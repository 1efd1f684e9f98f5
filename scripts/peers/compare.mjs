// Runs both engines on the same prompts and prints where their greedy answers part; see compare-greedy.sh.
//   node compare.mjs KVASIR MODEL.gguf PROMPTS.txt TOKENS
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {execFileSync} from "node:child_process";

const [kvasir, model, promptsFile, tokens] = process.argv.slice(2);
const TIE = 0.1; // of the log-probability: what rounding of activations to 8 bits moves in the peer
const here = path.dirname(new URL(import.meta.url).pathname);
const work = fs.mkdtempSync(path.join(os.tmpdir(), "kvasir-peers-"));
const run = (command, ...args) =>
  execFileSync(command, args, {encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 26});

const prompts = fs.readFileSync(promptsFile, "utf8").split("\n").filter(line => line !== "");
const caseFile = path.join(work, "case.json");
const cases = [];
for (const prompt of prompts) {
  const messages = [{role: "user", content: prompt}];
  fs.writeFileSync(caseFile, JSON.stringify({messages, add_generation_prompt: true}));
  const rendered = run(kvasir, "template", model, "--input", caseFile);
  const answer = JSON.parse(
    run(kvasir, "run", model, "-p", prompt, "-n", tokens, "--temp", "0", "--kv-format", "f32", "--json"));
  cases.push({prompt: rendered, answer: answer.text, promptTokens: answer.prompt_tokens});
}
const casesFile = path.join(work, "cases.json");
fs.writeFileSync(casesFile, JSON.stringify(cases));
const results = JSON.parse(run("node", path.join(here, "greedy.mjs"), model, casesFile, tokens));

let equal = 0, ties = 0;
console.log(`${"prompt tokens".padEnd(14)} ${"equal tokens".padEnd(13)} ${"gap".padEnd(7)} verdict    prompt`);
results.forEach((result, i) => {
  const samePrompt = result.promptTokens === cases[i].promptTokens;
  const {parting} = result;
  const gap = parting == null ? 0 : parting.ownLog - parting.otherLog;
  const same = samePrompt && parting == null;
  const tie = samePrompt && !same && gap <= TIE;
  equal += same;
  ties += tie;
  const verdict = same ? "equal" : tie ? "tie" : "DIFFERENT";
  const upTo = parting == null ? result.ids.length : parting.at;
  console.log(`${(cases[i].promptTokens + "/" + result.promptTokens).padEnd(14)} ${(upTo + "/" + result.ids.length).padEnd(13)} ` +
    `${(parting == null ? "" : gap.toFixed(4)).padEnd(7)} ${verdict.padEnd(10)} ${prompts[i].slice(0, 60)}`);
});
console.log(`\n${prompts.length} prompts: ${equal} equal, ${ties} part at a tie, ${prompts.length - equal - ties} different`);
fs.rmSync(work, {recursive: true});
process.exit(equal + ties === prompts.length ? 0 : 1);
