/** Calls to the service, and its refusals in words. */

const KEY = "tensorseed-key";

/** A call that was not answered as it should: `status` (0: not at all), `errors`, `retryAfter`. */
export class Refusal extends Error {
  constructor(status, message, { errors = [], retryAfter = null } = {}) {
    super(message);
    this.status = status;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }

  /** Whether it is about what was sent, and not about the way there. */
  get isOfRecipe() {
    return [400, 413, 422].includes(this.status);
  }
}

/** The key for calls, kept for as long as the tab is open. */
export const key = {
  get value() {
    return sessionStorage.getItem(KEY) ?? "";
  },
  set value(text) {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  },
};

/** The address of a path of the service, whatever prefix it has. */
export function address(path) {
  return new URL(path, document.baseURI).href;
}

/**
 * POST a JSON text.
 * @returns {Promise<Response>} Its status is 200.
 * @throws {Refusal} Else; an abort is thrown as it is.
 */
export async function post(path, text, signal) {
  return call(path, { method: "POST", body: text, signal, headers: { "Content-Type": "application/json" } });
}

/** GET a document. */
export async function get(path, signal) {
  return (await call(path, { signal })).json();
}

async function call(path, { headers = {}, ...asked }) {
  const known = key.value ? { Authorization: `Bearer ${key.value}` } : {};
  let response;
  try {
    response = await fetch(address(path), { ...asked, headers: { ...headers, ...known } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "The service cannot be reached. Is it running, and the network there?");
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
  return new Refusal(status, words(status, detail, retryAfter), { errors, retryAfter });
}

function words(status, detail, retryAfter) {
  if (status === 401) return "This server asks for a key. Enter yours under \u201cKey\u201d at the top.";
  if (status === 403) return `The key is for something else: ${detail}.`;
  const again = retryAfter ? ` Try again in ${retryAfter} s.` : "";
  if (status === 429) return `The server has as much to do as it takes on at once.${again}`;
  return detail + again;
}

/** Of calls for one purpose only the last counts: each begins by ending the one before. */
export class Latest {
  #controller = new AbortController();

  /** End what is under way, and return the signal of what begins. */
  begin() {
    this.#controller.abort();
    this.#controller = new AbortController();
    return this.#controller.signal;
  }
}
