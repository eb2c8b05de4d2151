// Calls of the API: the token, problems, retries and ETags. It knows nothing of the page.

/** @typedef {import("./schema.js").paths} Paths */
/** @typedef {import("./schema.js").components["schemas"]} Schemas */
/** @template T @typedef {{ content: { "application/json": T } }} JSON */
/** @template O @typedef {O extends { requestBody?: JSON<infer T> } ? T : undefined} Body of an operation */
/** @template O @typedef {O extends { parameters: { query?: infer Q } } ? Q : undefined} Query */
/**
 * What an operation answers with.
 * @template O
 * @typedef {O extends { responses: { 200: JSON<infer T> } | { 201: JSON<infer T> } } ? T : undefined} Answer
 */

const policy = document.querySelector("meta[http-equiv=Content-Security-Policy]")?.getAttribute("content");
const API = /default-src 'self' ([^\s;]+)/.exec(policy ?? "")?.[1] ?? "";

const ATTEMPTS = 4;
const MAX_WAIT = 10; // seconds: people who have to wait longer decide when to try again
const TIMEOUT = 20_000; // milliseconds
const REMEMBERED = 100; // responses

/** An error with the members of problem+json; the `code` is `offline` if there was no response. */
export class Problem extends Error {
  /** @param {Pick<Schemas["Problem"], "status" | "code" | "detail"> & Partial<Schemas["Problem"]>} body */
  constructor(body, wait = NaN) {
    super(body.detail);
    this.body = body;
    this.status = body.status;
    this.wait = wait; // seconds of Retry-After, or NaN
  }
}

/** What the page wants to know: "wait" for another attempt, "unreachable", "reached", "session". */
export const events = new EventTarget();

export const session = {
  get token() {
    return localStorage.getItem("token");
  },
  /** @param {string | null} token */
  set token(token) {
    if (token) localStorage.setItem("token", token);
    else localStorage.removeItem("token");
    remembered.clear(); // each account has its own view of the shop
    events.dispatchEvent(new Event("session"));
  },
};

const remembered = /** @type {Map<string, { etag: string, data: unknown }>} */ (new Map());

/**
 * Call an operation of the API and return the JSON of its response. Throws a Problem.
 * @template {"get" | "post"} M
 * @template {keyof Paths} P
 * @param {M} method
 * @param {P} path
 * @param {{ id?: number, query?: Query<Paths[P][M]>, body?: Body<Paths[P][M]>,
 *   key?: string, signal?: AbortSignal }} options `key` is an Idempotency-Key.
 * @returns {Promise<Answer<Paths[P][M]>>}
 */
export async function call(method, path, { id, query, body, key, signal } = {}) {
  const url = new URL(path.replace("{id}", String(id)), API);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  // Without a response one cannot know what happened, so only these are sent again.
  const repeatable = method === "get" || key !== undefined || path.endsWith("/quote/");
  for (let attempt = 1; ; attempt++) {
    const { token } = session;
    try {
      return await send(method, url, body, key, signal);
    } catch (error) {
      if (!(error instanceof Problem) || attempt === ATTEMPTS) throw error;
      if (token && error.status === 401) {
        if (token === session.token) session.token = null; // revoked or expired
        continue; // since most of the shop is open to anyone
      }
      const rejected = [429, 503].includes(error.status); // nothing was done
      const lost = error.body.code === "conflict" || [0, 500, 502, 504].includes(error.status);
      if (!rejected && !(lost && repeatable && navigator.onLine)) throw error;
      const seconds = Number.isNaN(error.wait) ? 2 ** (attempt - 1) : error.wait;
      if (seconds > MAX_WAIT) throw error;
      events.dispatchEvent(new CustomEvent("wait", { detail: seconds }));
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      signal?.throwIfAborted();
    }
  }
}

/** @type {(method: string, url: URL, body: unknown, key?: string, signal?: AbortSignal) => Promise<any>} */
async function send(method, url, body, key, signal) {
  const known = method === "get" ? remembered.get(url.href) : undefined;
  const headers = new Headers();
  if (session.token) headers.set("Authorization", `Token ${session.token}`);
  if (body !== undefined) headers.set("Content-Type", "application/json");
  if (key) headers.set("Idempotency-Key", key);
  if (known) headers.set("If-None-Match", known.etag);
  const timeout = AbortSignal.timeout(TIMEOUT);
  let response, text;
  try {
    response = await fetch(url, {
      method: method.toUpperCase(),
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    text = await response.text();
  } catch (error) {
    signal?.throwIfAborted();
    events.dispatchEvent(new Event("unreachable"));
    if (known) return known.data; // better than nothing, and the page says so
    throw new Problem({ status: 0, code: "offline", detail: "The shop cannot be reached. Try again later." });
  }
  events.dispatchEvent(new Event("reached"));
  if (known && response.status === 304) return known.data;
  const data = /json/.test(response.headers.get("Content-Type") ?? "") ? JSON.parse(text) : undefined;
  if (!response.ok) {
    const { status } = response;
    const unknown = { status, code: "unknown", detail: `The shop could not answer (${status}). Try again later.` };
    throw new Problem(data?.code ? data : unknown, Number(response.headers.get("Retry-After") ?? NaN));
  }
  const etag = response.headers.get("ETag");
  if (method === "get" && etag) {
    remembered.delete(url.href); // so that the oldest comes first
    remembered.set(url.href, { etag, data });
    for (const href of [...remembered.keys()].slice(0, -REMEMBERED)) remembered.delete(href);
  }
  return data;
}
