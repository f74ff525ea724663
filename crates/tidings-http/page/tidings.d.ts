/** How to reach a hub. Guide: docs/browser.md. */
export interface Options {
  /** The hub's plain channels, relative to the page. Default: `events` beside `tidings.js`. */
  url?: string | URL;
  /** Send cookies to a hub of another origin. Default: false. */
  withCredentials?: boolean;
  /**
   * A fresh token, asked for when the hub says `tidings.expiring`; it is sent to the hub, which prolongs the connection.
   * One tab is asked; if that fails or takes more than 15 s, the next.
   */
  getToken?: () => Promise<string>;
  /** The URL of a fresh ticket for these topics, asked for before each connection that is not EventSource's own. */
  ticket?: (topics: string[]) => Promise<string>;
}

/** One event. `topic` is undefined where the hub does not tell it. */
export type HubEvent = MessageEvent<string> & { readonly topic?: string };

export interface Reading {
  /** Event types to call back for. Default: `message`. */
  types?: string | string[];
  /** Begin after this position, such as one that came with the page. Default: where this tab left off, else now. */
  after?: string;
}

interface HubEventMap {
  /** `state` or `status` has changed. */
  state: Event;
  /** Events are gone that these topics should have had; data as docs/resuming.md tells. Load your state anew. */
  "tidings.reset": HubEvent;
  /** A topic has ended: nothing comes after it. */
  "tidings.end": HubEvent;
  /** The token ends soon; the helper asks `getToken` by itself. */
  "tidings.expiring": HubEvent;
}

export interface Hub extends EventTarget {
  /** Of the connection that all tabs share; `closed` after `close()` or when all topics have ended. */
  readonly state: "connecting" | "open" | "closed";
  /** The HTTP status of the last refusal, 0 if there is none or it cannot be known. */
  readonly status: number;
  /**
   * Calls back for each event of a topic or of several (`*` is one segment, a final `**` any number), in the hub's order,
   * each once. Gives the function that ends it.
   */
  on(topics: string | string[], callback: (event: HubEvent) => void, reading?: Reading): () => void;
  /** Ends all callbacks. The shared connection ends 5 s after its last reader. */
  close(): void;

  addEventListener<K extends keyof HubEventMap>(
    type: K,
    listener: (event: HubEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/** Opens a hub. All tabs of an origin that do so with the same `url` share one connection. */
export function connect(options?: Options): Hub;
