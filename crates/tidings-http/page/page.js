// The page at /: a plain EventSource, a box to publish, lines to copy.
// Everything that came over the wire is shown by textContent: an event can hold any text, HTML too.

const EVENTS_MAX = 100; // list items kept; older ones leave
const DATA_CHARS_MAX = 65_536; // of one event shown; an event may hold a MiB, a hundred of them would stall a phone
const FLUSH_INTERVAL = 50; // ms between two changes of the list when events come in a flood
const QUIET_BEFORE_SAYING = 1_000; // ms a state must last to be read aloud, so that a flapping line is not chatty
const SLOW_TO_OPEN = 8_000; // ms of connecting after which the limit of six connections is worth naming
const COPIED_FOR = 2_000; // ms that a copy button says it copied

// These three come through the handlers of EventSource itself; a second listener would show them twice.
const BUILT_IN_TYPES = new Set(["message", "open", "error"]);

const REASONS = {
  expired: "the history no longer reaches back to where this page left off",
  unknown: "the hub does not know, or no longer keeps, the event this page left off at",
  lost: "the event this page left off at was lost in a crash",
};

const byId = (id) => document.getElementById(id);
const hub = new URL("events", document.baseURI);

/** What is being listened to. One stream at a time; `source` is replaced, never shared. */
const stream = {
  source: null,
  topic: "",
  types: new Set(),
  lastId: "",
  ended: false,
  calls: { open: 0, message: 0, error: 0 },
};

/** What the list shows, and what waits to be shown. */
const list = { waiting: [], paused: false, flushed: 0, timer: 0 };

// ## The stream

function connect({ resume = false, last = 0 } = {}) {
  stream.source?.close();
  const url = listenUrl(stream.topic);
  // A new EventSource starts without a Last-Event-ID, so the page hands on the last id itself.
  // From then on the browser sends the header, which counts before the parameter.
  if (resume && stream.lastId) url.searchParams.set("lastEventID", stream.lastId);
  else if (last) url.searchParams.set("last", last);

  const source = new EventSource(url);
  stream.source = source;
  stream.ended = false;
  stream.calls = { open: 0, message: 0, error: 0 };
  showCalls();
  showState.said = ""; // who asked for a stream wants to hear how it went
  showState("connecting");
  showNotice("quiet", `Opening ${stream.topic || "default"}.`);

  // An event of the stream may itself be named `open` or `error`: it carries data and changes no state.
  source.onopen = (event) => {
    if (event instanceof MessageEvent) return receive(event);
    count("open");
    showState("open");
    showNotice("quiet", `Listening to ${stream.topic || "default"}.`);
  };
  source.onmessage = receive;
  source.onerror = (event) => {
    if (event instanceof MessageEvent) return receive(event);
    count("error");
    if (source.readyState === EventSource.CLOSED) closed();
    else reconnecting();
  };
  for (const type of stream.types) source.addEventListener(type, receive);

  source.addEventListener("tidings.open", (event) => {
    stream.lastId = event.lastEventId;
    showNotice("quiet", `Listening to ${stream.topic || "default"} from position ${event.lastEventId}.`);
  });
  source.addEventListener("tidings.reset", (event) => {
    stream.lastId = event.lastEventId;
    const reason = parsed(event.data)?.reason;
    const why = Object.hasOwn(REASONS, reason) ? `${reason} (${REASONS[reason]})` : String(reason ?? "no reason given");
    tell("warn", `Some events are no longer kept: ${why}. The stream goes on from the oldest one that is.`);
  });
  source.addEventListener("tidings.end", (event) => {
    stream.lastId = event.lastEventId;
    stream.ended = true;
    tell("quiet", "This topic has ended: all of it has been received.");
  });

  setTimeout(() => {
    if (stream.source === source && stream.calls.open + stream.calls.error === 0) {
      tell("warn", "Still connecting. On HTTP/1.1 a browser opens six connections to one host: another tab may hold the last of them.");
    }
  }, SLOW_TO_OPEN);
}

function reconnecting() {
  showState("connecting");
  if (!stream.ended) showNotice("quiet", "The connection ended. The browser is connecting again by itself.");
}

function closed() {
  showState("closed");
  if (stream.ended) tell("quiet", "This topic has ended: all of it has been received, and the stream is closed.");
  else tell("stop", "The hub's answer ended the stream for good, so the browser will not try again by itself.");
}

function receive(event) {
  count("message");
  stream.lastId = event.lastEventId;
  list.waiting.push({ time: new Date(), id: event.lastEventId, type: event.type, data: event.data });
  if (list.waiting.length > EVENTS_MAX) list.waiting.shift();
  flushSoon();
}

/** Listens for these types too. EventSource has no "all types": it hands over the named ones only. */
function listenFor(types) {
  const wanted = new Set([...types].filter((type) => type && !BUILT_IN_TYPES.has(type) && !type.startsWith("tidings.")));
  for (const type of stream.types) if (!wanted.has(type)) stream.source?.removeEventListener(type, receive);
  for (const type of wanted) if (!stream.types.has(type)) stream.source?.addEventListener(type, receive);
  stream.types = wanted;
  byId("listen-types").value = [...wanted].join(", ");
}

// ## The list

function flushSoon() {
  if (list.paused) return showHeld();
  if (list.timer) return;
  const wait = list.flushed + FLUSH_INTERVAL - performance.now();
  if (wait <= 0) flush();
  else list.timer = setTimeout(flush, wait);
}

function flush() {
  clearTimeout(list.timer);
  list.timer = 0;
  list.flushed = performance.now();
  const events = byId("events");
  events.prepend(...list.waiting.splice(0).reverse().map(item));
  while (events.childElementCount > EVENTS_MAX) events.lastElementChild.remove();
  showHeld();
}

function item({ time, id, type, data }) {
  const shown = data.slice(0, DATA_CHARS_MAX);
  const row = document.createElement("li");
  row.className = "new";
  row.dataset.type = type;
  row.dataset.id = id;

  const when = part("time", "", time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" }));
  when.dateTime = time.toISOString();
  const about = part("div", "about", "");
  if (type !== "message") about.append(titled(part("span", "type", type)));
  if (id) about.append(titled(part("span", "id", id)));
  const body = part("div", "data", shown);
  // What scrolls by itself must be reachable by keyboard.
  if (shown.length > 600 || shown.split("\n", 10).length > 9) {
    body.tabIndex = 0;
    body.role = "group";
    body.ariaLabel = "Data of this event";
  }

  row.append(when, about, body);
  if (shown.length < data.length) row.append(part("p", "cut", `${(data.length - shown.length).toLocaleString()} more characters are not shown.`));
  return row;
}

function part(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

function titled(element) {
  element.title = element.textContent;
  return element;
}

function clearList() {
  list.waiting = [];
  byId("events").replaceChildren();
  showHeld();
}

// ## Showing

function showState(state) {
  const element = byId("state");
  element.dataset.state = state;
  element.textContent = { connecting: "Connecting", open: "Open", closed: "Closed" }[state];

  const again = byId("connect");
  const hadFocus = document.activeElement === again;
  again.hidden = state !== "closed";
  if (hadFocus && again.hidden) byId("pause").focus(); // a hidden button would drop the focus to the top

  clearTimeout(showState.timer);
  if (state === "closed") return; // `closed` tells that, with the reason
  showState.timer = setTimeout(() => {
    if (showState.said === state) return;
    showState.said = state;
    say(`Stream ${element.textContent.toLowerCase()}: ${stream.topic || "default"}.`);
  }, QUIET_BEFORE_SAYING);
}

function showNotice(tone, text) {
  byId("notice").dataset.tone = tone;
  byId("notice").textContent = text;
}

/** A notice that is worth reading aloud. */
function tell(tone, text) {
  showNotice(tone, text);
  say(text);
}

function say(text) {
  // The same words twice are no change, so nobody would hear them: a space makes them one.
  byId("announce").textContent = byId("announce").textContent === text ? `${text}\u00a0` : text;
}

function count(call) {
  stream.calls[call] += 1;
  showCalls();
}

function showCalls() {
  for (const [call, times] of Object.entries(stream.calls)) byId(`count-${call}`).textContent = times.toLocaleString();
}

function showHeld() {
  const waiting = list.paused ? list.waiting.length : 0;
  const full = byId("events").childElementCount >= EVENTS_MAX;
  byId("held").textContent = list.paused
    ? `Paused: ${waiting >= EVENTS_MAX ? `the newest ${EVENTS_MAX} wait` : `${waiting} new`}`
    : full ? `The newest ${EVENTS_MAX} are shown` : "";
}

// ## Publishing

async function publish() {
  const topic = byId("publish-topic").value;
  const type = byId("publish-type").value;
  const send = byId("publish-send");
  showResult("", "");
  byId("publish-follow").hidden = true;

  let url;
  try {
    url = publishUrl(topic);
  } catch (error) {
    return showResult("error", error.message);
  }
  if (type) {
    url.searchParams.set("type", type);
    listenFor([...stream.types, type]); // before the event can arrive
  }

  send.disabled = true;
  try {
    const answer = await fetch(url, { method: "POST", body: byId("publish-data").value });
    const text = await answer.text();
    const told = parsed(text);
    if (!answer.ok) {
      return showResult("error", told?.detail ?? told?.title ?? (text || `The hub answered ${answer.status} ${answer.statusText}`));
    }
    showResult("ok", `Published to ${told?.topic ?? (topic || "default")} with id ${told?.id ?? text}`);
    byId("publish-follow").hidden = isPattern(stream.topic) || (topic || "default") === (stream.topic || "default");
  } catch {
    showResult("error", "The hub could not be reached.");
  } finally {
    const hadFocus = document.activeElement === document.body; // disabling a focused button drops the focus
    send.disabled = false;
    if (hadFocus) send.focus({ preventScroll: true });
  }
}

function showResult(result, text) {
  byId("publish-result").dataset.result = result;
  byId("publish-result").textContent = text;
}

// ## Addresses

/** Topics go into the path; patterns are understood in the query only, and so are segments that a URL would fold away. */
function listenUrl(topic) {
  const url = new URL(hub);
  if (topic && (isPattern(topic) || foldsAway(topic))) url.searchParams.set("topic", topic);
  else if (topic) url.pathname += `/${encodedPath(topic)}`;
  return url;
}

function publishUrl(topic) {
  const url = new URL(hub);
  if (foldsAway(topic)) throw new Error('A topic with a segment "." or ".." does not fit into a path. Publish it as NDJSON.');
  if (topic) url.pathname += `/${encodedPath(topic)}`;
  return url;
}

function encodedPath(topic) {
  const wellFormed = topic.toWellFormed?.() ?? topic;
  return wellFormed.split("/").map(encodeURIComponent).join("/");
}

function isPattern(topic) {
  return topic.split("/").some((segment) => segment === "*" || segment === "**");
}

function foldsAway(topic) {
  return topic.split("/").some((segment) => segment === "." || segment === "..");
}

function parsed(json) {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

// ## Lines to copy

function showLines() {
  const quoted = (url) => {
    const text = url.href.replaceAll("'", "%27");
    return /[^\w.~:/%=-]/.test(text) ? `'${text}'` : text;
  };
  const writable = isPattern(stream.topic) || foldsAway(stream.topic) ? "" : stream.topic;
  const lines = {
    publish: `curl -d 'Good news' ${quoted(publishUrl(writable))}`,
    listen: `curl -N ${quoted(listenUrl(stream.topic))}`,
  };
  for (const element of document.querySelectorAll("[data-curl]")) element.textContent = lines[element.dataset.curl];

  byId("ten-code").textContent = `<!doctype html>
<p id="state">connecting</p>
<pre id="list"></pre>
<script>
  const source = new EventSource(${JSON.stringify(listenUrl(stream.topic).href)});
  source.onopen = source.onerror = () => {
    state.textContent = ["connecting", "open", "closed"][source.readyState];
  };
  source.onmessage = (event) => list.prepend(event.data + "\\n");
</script>`;
}

async function copy(button) {
  const source = byId(button.dataset.copy);
  const copied = await copyText(source);
  button.textContent = copied ? "Copied" : "Selected";
  say(copied ? "Copied." : "Selected. Copy it with the keyboard.");
  clearTimeout(button.timer);
  button.timer = setTimeout(() => (button.textContent = "Copy"), COPIED_FOR);
}

async function copyText(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    // No clipboard without https or a loopback name, or the browser refused: select it, and try the old way.
    getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}

// ## Wiring

function listenTo(topic, options) {
  const same = topic === stream.topic && !stream.ended;
  stream.topic = topic;
  byId("listen-topic").value = topic;
  if (!same) {
    stream.lastId = "";
    clearList();
  }
  showLines();
  connect(same ? { resume: true } : options);
}

byId("listen").addEventListener("submit", (event) => {
  event.preventDefault();
  listenFor(byId("listen-types").value.split(",").map((type) => type.trim()));
  listenTo(byId("listen-topic").value);
});

byId("connect").addEventListener("click", () => listenTo(stream.topic));

byId("pause").addEventListener("click", (event) => {
  list.paused = !list.paused;
  event.target.textContent = list.paused ? "Resume" : "Pause";
  if (list.paused) showHeld();
  else flush();
});

byId("publish").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!byId("publish-send").disabled) publish();
});

byId("publish-data").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  byId("publish").requestSubmit();
});

byId("publish-follow").addEventListener("click", () => {
  byId("publish-follow").hidden = true;
  listenTo(byId("publish-topic").value, { last: 1 });
  byId("listen-topic").focus();
});

for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button));

// The fields fold away where there is little room (see page.css, which hides the fold where there is enough).
const roomy = matchMedia("(min-width: 40rem)");
const foldChoice = () => (byId("choice").open = roomy.matches);
roomy.addEventListener("change", foldChoice);
foldChoice();

// A page that comes back from the back/forward cache comes back without its connection.
addEventListener("pageshow", (event) => {
  if (event.persisted && stream.source?.readyState === EventSource.CLOSED) connect({ resume: true });
});

listenFor([]);
listenTo("");
