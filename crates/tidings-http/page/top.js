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
  if (rows.length === 0) body.insertRow().append(element("td", "none", { colspan: columns, class: "none" }));
}

function ender(label, path) {
  const cell = document.createElement("td");
  const button = element("button", "End", { type: "button", "aria-label": label });
  button.addEventListener("click", () => end(path, button));
  cell.append(button);
  return cell;
}

function show(picture) {
  const isReady = picture.state === "ready";
  setState(isReady ? "open" : "stop", `${picture.state} · ${new Date(picture.at_ms).toLocaleTimeString()} · version ${picture.version}`);
  fillList($("glance"), glance(picture));
  fillTable($("topics"), picture.topics.map(({ topic, events, bytes: each, readers }) => [
    element("td", topic),
    element("td", number(events), { class: "n" }),
    element("td", bytes(each), { class: "n" }),
    element("td", number(readers), { class: "n" }),
    ender(`End all sessions of ${topic}`, `top/topics/${topic.split("/").map(encodeURIComponent).join("/")}`),
  ]), 5);
  fillTable($("sessions"), picture.sessions.map((session) => [
    element("td", session.address ?? "within"),
    element("td", session.state, { "data-state": session.state }),
    element("td", session.selectors.join(", ") + (session.selectors_more > 0 ? ` and ${session.selectors_more} more` : "")),
    element("td", number(session.behind_events), { class: "n" }),
    element("td", bytes(session.held_bytes), { class: "n" }),
    element("td", session.stalled > 0 ? time(session.stalled) : "–", { class: "n" }),
    ender(`End session ${session.name}`, `top/sessions/${session.name}`),
  ]), 7);
  fillList($("limits"), Object.entries(picture.limits_reached).map(([name, count]) => [name, number(count)]));
  fillList($("closed"), Object.entries(picture.closed).map(([name, count]) => [name, number(count)]));
}

function setState(state, text) {
  $("state").dataset.state = state;
  $("state").textContent = text;
}

// ## Ending

async function end(path, button) {
  button.blur();
  const token = $("token").value;
  if (token === "") {
    $("answer").textContent = "Give the token first.";
    $("token").focus();
    return;
  }
  try {
    const answer = await fetch(path, { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
    const body = await answer.json();
    $("answer").textContent = answer.ok ? `${body.ended} ended` : `${body.title}: ${body.detail}`;
  } catch {
    $("answer").textContent = "The hub does not answer.";
  }
}

$("operator").addEventListener("submit", (event) => event.preventDefault());

const pictures = new EventSource("top/events");
pictures.addEventListener("message", (event) => show(JSON.parse(event.data)));
pictures.addEventListener("error", () => setState("wait", "The hub does not answer; trying again"));
