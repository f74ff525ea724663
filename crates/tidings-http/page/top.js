// The page /top of the admin listener: shows each picture of /top/events, and ends streams when an operator says so.

const $ = (id) => document.getElementById(id);

// ## What a picture says

function number(value) {
  if (value < 10 && !Number.isInteger(value)) return value.toFixed(1);
  return Math.round(value).toLocaleString("en");
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit > 0 && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function time(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

const maybe = (value, show) => (value === null || value === undefined ? "–" : show(value));

function glance(picture) {
  const { connections, rates, history, process } = picture;
  const rate = (name, show) => maybe(rates?.[name], (value) => `${show(value)}/s`);
  return [
    ["Connections", `${number(connections.open)} of ${number(connections.max)}`],
    ["Sessions", number(connections.direct + connections.body)],
    ["… with all there is", number(connections.live)],
    ["… given history", number(connections.replaying)],
    ["New sessions", rate("joined", number)],
    ["Refused requests", rate("refused", number)],
    ["Events in", rate("events_in", number)],
    ["Bytes in", rate("bytes_in", bytes)],
    ["Events out", rate("events_out", number)],
    ["Bytes out", rate("bytes_out", bytes)],
    ["Events kept", number(history.events)],
    ["History", bytes(history.bytes)],
    ["Oldest event", maybe(history.oldest_age, time)],
    ["Free on disk", maybe(history.disk_free_bytes, bytes)],
    ["Memory", maybe(process?.resident_bytes, bytes)],
    ["Descriptors", maybe(process, (process) => `${number(process.open_fds)} of ${number(process.max_fds)}`)],
  ];
}

// ## What is shown. Text only ever becomes text: a topic may hold anything.

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function fillGlance(list, pairs) {
  list.replaceChildren(...pairs.map(([name, value]) => {
    const pair = document.createElement("div");
    pair.append(element("dt", name), element("dd", value));
    return pair;
  }));
}

function fillList(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
  if (pairs.length === 0) list.append(element("dt", "none"));
}

function fillTable(table, rows, columns) {
  const body = table.tBodies[0];
  if (body.contains(document.activeElement)) return; // a button that is about to be pressed stays where it is
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells);
    return row;
  }));
  if (rows.length === 0) body.insertRow().append(element("td", "none", { colspan: columns, class: "none wide" }));
}

// A number with its name, which a narrow page shows beside it.
const cell = (label, text) => element("td", text, { class: "n", "data-label": label });

function ender(label, path) {
  const cell = document.createElement("td");
  const button = element("button", "End", { type: "button", "aria-label": label });
  button.addEventListener("click", () => ask(label, path, button));
  cell.append(button);
  return cell;
}

function show(picture) {
  heardAt = Date.now();
  const isReady = picture.state === "ready";
  setState(isReady ? "open" : "stop", `${picture.state} · ${clock(picture.at_ms)} · version ${picture.version}`);
  fillGlance($("glance"), glance(picture));
  fillTable($("topics"), picture.topics.map(({ topic, events, bytes: each, readers }) => [
    element("td", topic, { class: "wide" }),
    cell("Events/s", number(events)),
    cell("Bytes/s", bytes(each)),
    cell("Readers", number(readers)),
    // Not in the path: a browser takes a/../b there for b.
    ender(`End all sessions that listen to ${topic}`, `top/topics?topic=${encodeURIComponent(topic)}`),
  ]), 5);
  fillTable($("sessions"), picture.sessions.map((session) => [
    element("td", listensTo(session), { class: "wide" }),
    element("td", session.address ?? "within", { "data-label": "From" }),
    element("td", session.state, { "data-state": session.state, "data-label": "State" }),
    cell("Behind", number(session.behind_events)),
    cell("Held", bytes(session.held_bytes)),
    cell("Stalled", session.stalled > 0 ? time(session.stalled) : "–"),
    ender(`End session ${session.name}, which listens to ${listensTo(session)}`, `top/sessions/${session.name}`),
  ]), 7);
  fillList($("limits"), Object.entries(picture.limits_reached).map(([name, count]) => [name, number(count)]));
  fillList($("closed"), Object.entries(picture.closed).map(([name, count]) => [name, number(count)]));
}

function listensTo({ selectors, selectors_more: more }) {
  return selectors.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

const clock = (at) => new Date(at).toLocaleTimeString();

function setState(state, text) {
  $("state").dataset.state = state;
  $("state").textContent = text;
}

// ## Ending: asked first, by the name of what is ended, for rows change places each second

let ending = null; // where to send the DELETE

function ask(label, path, button) {
  button.blur();
  ending = path;
  $("question-title").textContent = `${label}?`;
  $("refusal").textContent = "";
  $("answer").textContent = "";
  $("question").showModal();
  if ($("token").value === "") $("token").focus();
  else $("end").focus();
}

async function end() {
  const token = $("token").value;
  if (token === "") {
    $("refusal").textContent = "Give the token first.";
    $("token").focus();
    return;
  }
  $("refusal").textContent = "";
  try {
    const answer = await fetch(ending, { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
    const body = await answer.json();
    if (answer.ok) {
      $("question").close();
      $("answer").textContent = body.ended === 1 ? "1 session ended" : `${number(body.ended)} sessions ended`;
    } else {
      $("refusal").textContent = `${body.title}: ${body.detail}.`;
    }
  } catch (error) {
    // A token that no header carries is a TypeError as well as a hub that is gone.
    $("refusal").textContent = /^[\x21-\x7e]+$/.test(token) ? "The hub does not answer." : "No token has such characters.";
  }
}

$("operator").addEventListener("submit", (event) => {
  event.preventDefault();
  end();
});
$("keep").addEventListener("click", () => $("question").close());

// ## Pictures, for as long as the page is open

let heardAt = Date.now();

function follow() {
  const pictures = new EventSource("top/events");
  pictures.addEventListener("message", (event) => show(JSON.parse(event.data)));
  pictures.addEventListener("error", () => {
    missed();
    // A browser gives up for good when a proxy answers in the place of a hub that begins anew.
    if (pictures.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  });
}

function missed() {
  setState("wait", `The hub does not answer since ${clock(heardAt)}; trying again`);
}

setInterval(() => {
  if (Date.now() - heardAt > 5000) missed();
}, 1000);
follow();
