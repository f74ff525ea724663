// Follows a stream with an EventSource from npm and prints what its listeners get.
//   node follow.mjs eventsource|undici URL COUNT TYPE...
// With the variable FOLLOW_TOKEN the npm package `eventsource` sends it as a bearer token.
// One JSON value a line: {"opened": true} for each opening, {"event": {...}} for each event of the
// named types. Ends by itself after COUNT events; exits with 1 when the EventSource gives up.
import { writeSync } from "node:fs";

const [client, url, count, ...types] = process.argv.slice(2);
const { EventSource } = await import(client);

let seen = 0;
const token = process.env.FOLLOW_TOKEN;
const withToken = (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } });
const source = token ? new EventSource(url, { fetch: withToken }) : new EventSource(url);
const say = (value) => {
  // A large line to a pipe may be taken in parts, and a full pipe is no error.
  let rest = Buffer.from(JSON.stringify(value) + "\n");
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
};

source.addEventListener("open", () => say({ opened: true }));
source.addEventListener("error", (event) => {
  console.error(`error: readyState ${source.readyState}: ${event.message ?? "no message"}`);
  if (source.readyState === EventSource.CLOSED) process.exit(1);
});
for (const type of types) {
  source.addEventListener(type, (event) => {
    say({ event: { type: event.type, data: event.data, id: event.lastEventId } });
    seen += 1;
    if (seen === Number(count)) {
      source.close();
      process.exit(0);
    }
  });
}
