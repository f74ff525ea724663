// One connection to a hub for all tabs of an origin. What it promises and how: docs/browser.md.

const GATHER = 20; // ms
const LINGER = 5_000; // a reader may only be loading a page
const TICK = 15_000;
const MINUTE = 60_000;
const ASLEEP = 90_000; // a hidden page ticks once a minute

export const connect = (options) => new Hub(options);

class Hub extends EventTarget {
  state = "connecting";
  status = 0;
  subs = new Map();
  page = Math.random().toString(36);
  count = 0;
  gone = new AbortController();

  constructor({ url, withCredentials, getToken, ticket } = {}) {
    super();
    this.url = (url ? new URL(url, document.baseURI) : new URL("events", import.meta.url)).href;
    // No locks (no https): each tab for itself.
    this.name = ["tidings/1", withCredentials ? "include" : "same-origin", this.url, navigator.locks ? "" : this.page].join(" ");
    const renew = async (url) =>
      (await fetch(url, { method: "POST", headers: { authorization: `Bearer ${await getToken()}` } })).ok;
    this.can = { ticket, renew: getToken && renew };
    const listen = (type, run) => addEventListener(type, run, this.gone);
    listen("online", () => this.tell("wake", 0));
    listen("visibilitychange", () => (document.hidden ? this.save() : this.tell("wake", MINUTE)));
    listen("pagehide", () => this.leave());
    listen("pageshow", (event) => event.persisted && this.join());
    this.join();
  }

  on(topics, callback, { types = "message", after } = {}) {
    topics = [...new Set([topics].flat())].sort();
    const place = [this.url, ...topics].join("\n");
    const key = `${this.page} ${this.count++}`;
    this.subs.set(key, { topics, types: [types].flat(), callback, place, id: after ?? storage?.getItem(place) });
    this.want(key);
    return () => this.subs.delete(key) && this.tell("stop", key);
  }

  close() {
    this.gone.abort();
    this.leave();
    this.subs.clear();
    this.heard.state("closed", 0);
  }

  // The engine is where the lock of its name is: in the SharedWorker, else in a tab.
  join() {
    const { name } = this;
    const elect = () => (this.free = hold(name, () => (this.engine = new Engine(name))));
    this.room = enter(name, this.heard);
    this.alive = hold(name + this.page, this.heard.lead);
    try {
      new SharedWorker(import.meta.url, { type: "module", name }).onerror = elect;
    } catch {
      elect();
    }
  }

  leave() {
    this.save();
    for (const key of this.subs.keys()) this.tell("stop", key);
    this.engine?.close();
    this.free?.();
    this.alive();
    this.room.close();
  }

  save() {
    for (const { place, id } of this.subs.values()) if (id) storage?.setItem(place, id);
  }

  tell(...message) {
    this.room.postMessage(message);
  }

  want(key) {
    const { topics, types, id } = this.subs.get(key);
    this.tell("want", { key, topics, types, id, ticket: !!this.can.ticket, renew: !!this.can.renew });
  }

  heard = {
    lead: () => [...this.subs.keys()].forEach((key) => this.want(key)),
    state: (state, status) => {
      if (state === this.state && status === this.status) return;
      Object.assign(this, { state, status });
      this.dispatchEvent(new Event("state"));
    },
    passed: (keys, hits, { type, data, id, place, topic }) => {
      const mine = (keys) => keys.map((key) => this.subs.get(key)).filter(Boolean);
      for (const sub of mine(keys)) {
        sub.id = place;
        storage?.removeItem(sub.place); // later callbacks begin now
      }
      const event = Object.assign(new MessageEvent(type, { data, lastEventId: id }), { topic });
      hits = mine(hits);
      if (!type.startsWith("tidings.")) for (const { callback } of hits) queueMicrotask(() => callback(event));
      else if (hits[0]) this.dispatchEvent(event);
    },
    ask: async (key, kind, value) => {
      if (this.subs.has(key)) this.tell("answer", key, await this.can[kind](value).catch(reportError));
    },
  };
}

let storage;
try {
  storage = sessionStorage;
} catch {} // forbidden

function enter(name, heard) {
  const room = new BroadcastChannel(name);
  room.onmessage = ({ data: [kind, ...rest] }) => heard[kind]?.(...rest);
  return room;
}

// Gives what frees the lock.
function hold(name, held) {
  const asked = new AbortController();
  const keep = () => (held(), new Promise((resolve) => (asked.free = resolve)));
  if (navigator.locks) navigator.locks.request(name, asked, keep).catch(() => {});
  else held();
  return () => (asked.abort(), asked.free?.());
}

// Owns the connection and knows who reads what. Pages say want, stop, wake and answer.
class Engine {
  subs = new Map();
  pages = new Set();
  topics = [];
  failures = 0;
  state = ["connecting", 0];

  constructor(name) {
    [, this.credentials, this.base] = name.split(" ");
    this.name = name;
    this.room = enter(name, this);
    let last = Date.now();
    this.clock = setInterval(() => {
      if (Date.now() - last > ASLEEP) this.wake(0);
      last = Date.now();
    }, TICK);
    this.tell("lead");
  }

  close() {
    clearInterval(this.clock);
    clearTimeout(this.timer);
    this.shut();
    this.room.close();
  }

  tell(...message) {
    this.room.postMessage(message);
  }

  tellState(...state) {
    this.state = state;
    this.tell("state", ...state);
  }

  want(sub) {
    if (this.subs.has(sub.key)) return;
    this.subs.set(sub.key, sub);
    sub.id ??= this.place;
    sub.live = this.source && sub.id === this.place && sub.topics.every((topic) => this.topics.includes(topic));
    if (sub.live) this.hear(sub.types);
    else this.soon();
    this.tellState(...this.state);
    const [page] = sub.key.split(" ");
    if (!this.pages.has(page)) navigator.locks?.request(this.name + page, () => this.lost(page));
    this.pages.add(page);
  }

  lost(page) {
    this.pages.delete(page);
    for (const key of this.subs.keys()) if (key.startsWith(page)) this.stop(key);
  }

  stop(key) {
    this.subs.delete(key);
    setTimeout(() => this.union().length < this.topics.length && this.soon(), LINGER);
  }

  wake(quiet) {
    if (this.topics[0] && Date.now() - this.heard >= quiet) this.soon();
  }

  answer(key, value) {
    this.subs.get(key)?.answer(value);
  }

  // One after another, until one answers.
  async ask(kind, value) {
    for (const sub of this.subs.values()) {
      if (!sub[kind]) continue;
      const answer = await new Promise((resolve) => {
        sub.answer = resolve;
        this.tell("ask", sub.key, kind, value);
        setTimeout(resolve, TICK);
      });
      if (answer) return answer;
    }
  }

  union() {
    return [...new Set([...this.subs.values()].flatMap(({ topics }) => topics))].sort();
  }

  // NaN for what cannot be compared.
  rank(id = "") {
    const [epoch, number] = id.split("-");
    return epoch === this.epoch ? +number : NaN;
  }

  soon(wait = GATHER) {
    clearTimeout(this.timer);
    this.turn = null;
    this.timer = setTimeout(() => this.open(), wait);
  }

  shut() {
    this.source?.close();
    this.turn = this.source = null;
  }

  // From the place furthest behind. The old source says nothing once it is closed.
  async open() {
    const turn = (this.turn = {});
    const topics = this.union();
    const subs = [...this.subs.values()];
    const ticketed = subs.some(({ ticket }) => ticket);
    const base = ticketed ? await this.ask("ticket", topics) : this.base;
    if (turn !== this.turn) return;
    this.shut();
    Object.assign(this, { topics, next: null, heard: Date.now() });
    const ids = subs.map((sub) => (sub.id ??= this.place));
    const isOdd = (id) => id && isNaN(this.rank(id)); // only the hub can place it
    this.place = ids.find(isOdd) ?? ids.sort((a, b) => this.rank(a) - this.rank(b))[0];
    if (!subs[0]) return;
    if (!base) return this.again(0);
    for (const sub of subs) sub.live = sub.id === this.place || !isOdd(this.place);
    this.url = () => {
      const url = new URL(base, this.base);
      if (!ticketed) for (const topic of topics) url.searchParams.append("topic", topic);
      if (this.place) url.searchParams.set("lastEventID", this.place);
      url.searchParams.set("announce", 1);
      return url;
    };
    this.source = new EventSource(this.url(), { withCredentials: this.credentials === "include" });
    this.source.onopen = (event) => "data" in event || this.tellState("open", 0);
    this.source.onerror = (event) => "data" in event || this.failed();
    this.hear(["open", "reset", "end", "next", "expiring"].map((type) => `tidings.${type}`));
    for (const { types } of subs) this.hear(types);
  }

  hears = (event) => "data" in event && this.passed(event); // a failure has none

  hear(types) {
    for (const type of types) this.source.addEventListener(type, this.hears);
  }

  passed({ type, data, lastEventId: id }) {
    const subs = [...this.subs.values()];
    const keys = (subs) => subs.map(({ key }) => key);
    const is = (name) => type === `tidings.${name}`;
    const [place, ...topics] = this.next ?? [id];
    this.next = null;
    this.heard = Date.now();
    this.failures = 0;
    if (is("next")) return (this.next = data.split("\n"));
    if (is("expiring")) {
      this.tell("passed", [], keys(subs), { type, data, id });
      return this.ask("renew", new URL(JSON.parse(data).renew_url, this.base).href);
    }
    const isFirst = is("open") || is("reset");
    if (isFirst) this.epoch = id.split("-")[0];
    this.place = place;
    const rank = this.rank(place);
    const passed = subs.filter((sub) => sub.live && !(rank <= this.rank(sub.id)));
    const wants = ({ types, topics: asked }) =>
      (is("end") || types.includes(type)) && (!topics[0] || topics.some((topic) => asked.some((one) => matches(one, topic))));
    const hits = is("reset") ? passed : passed.filter(wants);
    for (const sub of passed) sub.id = place;
    this.tell("passed", keys(passed), keys(hits), { type, data: hits[0] && data, id, place, topic: topics[0] });
    if (isFirst && subs.some(({ live }) => !live)) this.soon();
  }

  // EventSource does not come back after a refusal, be it a proxy's.
  async failed() {
    this.next = null;
    const { source, credentials } = this;
    if (source.readyState < 2) return this.tellState("connecting", 0);
    const { status } = await fetch(this.url(), { method: "HEAD", credentials }).catch(() => ({ status: 0 }));
    if (source !== this.source) return;
    this.shut();
    if (status === 204) this.tellState("closed", status); // all topics have ended
    else this.again(status);
  }

  again(status) {
    this.tellState("connecting", status);
    this.soon(Math.min(MINUTE, 1_000 * 2 ** this.failures++) * (0.5 + Math.random() / 2));
  }
}

// `*` is one segment, a final `**` any number.
function matches(asked, topic) {
  const fits = ([want, ...wants], [got, ...gots]) =>
    want === "**" || ((want === got || (want === "*" && got !== undefined)) && (want === undefined || fits(wants, gots)));
  return fits(asked.split("/"), topic.split("/"));
}

if (self.SharedWorkerGlobalScope && name.startsWith("tidings/1 ")) hold(name, () => new Engine(name));
