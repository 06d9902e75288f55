/** Requests to the service, and its errors as messages. */

const KEY = "tensorseed-key";

/** A request that failed: `status` (0 if there is no response), `errors`, `retryAfter` (seconds). */
export class Refusal extends Error {
  constructor(status, message, { errors = [], retryAfter = null } = {}) {
    super(message);
    this.status = status;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }

  /** Whether the recipe is the reason, not the network, the key or the load. */
  get isOfRecipe() {
    return [400, 413, 422].includes(this.status);
  }
}

/** The key for requests, stored until the tab is closed. */
export const key = {
  get value() {
    return sessionStorage.getItem(KEY) ?? "";
  },
  set value(text) {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  },
};

/** The URL of a path of the service, including a path prefix. */
export function address(path) {
  return new URL(path, document.baseURI).href;
}

/**
 * POST a JSON text.
 * @returns {Promise<Response>} Its status is 200.
 * @throws {Refusal} The status is another, or there is no response.
 * @throws {DOMException} AbortError: `signal` aborted the request.
 */
export async function post(path, text, signal) {
  return call(path, { method: "POST", body: text, signal, headers: { "Content-Type": "application/json" } });
}

/** GET a document. */
export async function get(path, signal) {
  return (await call(path, { signal })).json();
}

async function call(path, { headers = {}, ...options }) {
  const authorization = key.value ? { Authorization: `Bearer ${key.value}` } : {};
  let response;
  try {
    response = await fetch(address(path), { ...options, headers: { ...headers, ...authorization } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "The service cannot be reached. Check that it is running and that the network works.");
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response) {
  const { status } = response;
  const type = response.headers.get("Content-Type") ?? "";
  const { detail = `HTTP ${status} ${response.statusText}`, errors } = type.startsWith("application/problem+json")
    ? await response.json()
    : {};
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  return new Refusal(status, messageOf(status, detail, retryAfter), { errors, retryAfter });
}

function messageOf(status, detail, retryAfter) {
  if (status === 401) return "This server needs a key. Enter yours under \u201cKey\u201d at the top.";
  if (status === 403) return `This key does not allow the request: ${detail}.`;
  const again = retryAfter ? ` Try again in ${retryAfter} s.` : "";
  if (status === 429) return `The server is at its limit of concurrent work.${again}`;
  return detail + again;
}

/** Aborts the previous request when the next one of the same kind begins: only the latest counts. */
export class Latest {
  #controller = new AbortController();

  /** Abort the previous request, and return the signal for the next. */
  begin() {
    this.#controller.abort();
    this.#controller = new AbortController();
    return this.#controller.signal;
  }
}
