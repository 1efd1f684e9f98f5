// One line for each test, the reason below one that failed, and the count.
export default async function* lines(source) {
  let passed = 0;
  let failed = 0;
  for await (const {type, data} of source) {
    if (type === "test:pass" && data.details.type !== "suite") {
      passed++;
      yield `ok    ${data.name}  (${Math.round(data.details.duration_ms)} ms)\n`;
    } else if (type === "test:fail" && data.details.type !== "suite") {
      failed++;
      const cause = data.details.error.cause ?? data.details.error;
      const reason = String(cause.stack ?? cause).split("\n").slice(0, 12).join("\n      ");
      yield `FAIL  ${data.name}\n      ${reason}\n`;
    } else if (type === "test:stderr" || type === "test:stdout") {
      yield data.message;
    }
  }
  yield `${passed} passed, ${failed} failed\n`;
  if (passed === 0) yield "no case ran\n";
}
