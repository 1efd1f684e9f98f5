// Stands between a client and a server and writes down what the client asks, with the status and the shape of each answer.
//   node record.mjs SERVER_URL FILE.jsonl          prints its own URL
// Each line: method, path, body (as it was sent), status, aborted (the client hung up), id (of a kept response), shape:
// "path:type" of every value in the answer's JSON, or in all events of a stream, sorted. A request equal to an earlier one with
// the same status is written once, one that was given up before its answer not at all. TranscriptTest replays such files:
//   KVASIR_RECORD=server/src/test/resources/io/kvasir/server/transcripts scripts/clients/run.sh
//   ./kvasir serve --model-name kvasir-stories & node record.mjs http://127.0.0.1:8080 langchain4j.jsonl &
//   mvn test -pl clients -am -Dtest=LangChainTest -Dkvasir.clients.url=THE_RECORDERS_URL ...
import fs from "node:fs";
import http from "node:http";

const [target, file] = process.argv.slice(2);
const seen = new Set();
fs.writeFileSync(file, "");

function collect(value, path, into) {
  if (Array.isArray(value)) {
    into.add(`${path}:array`);
    value.forEach(each => collect(each, `${path}[]`, into));
  } else if (value !== null && typeof value === "object") {
    into.add(`${path}:object`);
    for (const [key, each] of Object.entries(value)) collect(each, `${path}.${key}`, into);
  } else {
    into.add(`${path}:${value === null ? "null" : typeof value}`);
  }
}

function shape(type, text) {
  const found = new Set();
  if (type.startsWith("text/event-stream")) {
    for (const line of text.split("\n")) {
      if (!line.startsWith("data: ")) continue;
      if (line === "data: [DONE]") found.add("[DONE]");
      else try { collect(JSON.parse(line.slice(6)), "", found); } catch { /* cut off by the client */ }
    }
  } else if (type.startsWith("application/json")) {
    collect(JSON.parse(text), "", found);
  }
  return [...found].sort();
}

function write(request, body, answer, aborted) {
  if (request.url.startsWith("/metrics") || answer.status === null) return;
  const line = {method: request.method, path: request.url, body, status: answer.status, aborted,
    shape: shape(answer.headers?.["content-type"] ?? "", answer.text)};
  const kept = request.url === "/v1/responses" && /"id":"(resp_[^"]*)"/.exec(answer.text);
  if (kept) line.id = kept[1];
  const key = JSON.stringify([line.method, line.path, line.body, line.status]);
  if (seen.has(key)) return;
  seen.add(key);
  fs.appendFileSync(file, `${JSON.stringify(line)}\n`);
}

const server = http.createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  const {host, connection, ...headers} = request.headers;
  const answer = {status: null, text: ""};
  let ended = false;
  const end = aborted => {
    if (!ended) write(request, body.toString(), answer, aborted);
    ended = true;
  };
  const onward = http.request(target + request.url, {method: request.method, headers}, incoming => {
    answer.status = incoming.statusCode;
    answer.headers = incoming.headers;
    response.writeHead(incoming.statusCode, incoming.headers);
    response.flushHeaders();
    incoming.on("data", part => { answer.text += part; response.write(part); });
    incoming.on("end", () => { end(false); response.end(); });
  });
  onward.on("error", () => { end(true); response.destroy(); });
  response.on("close", () => { if (!response.writableEnded) { end(true); onward.destroy(); } });
  onward.end(body);
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
