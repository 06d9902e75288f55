/** The download of model.safetensors: with progress and an end, or what to do instead. */

import { LONGEST, pack } from "./link.js";
import { compact } from "./json.js";
import { Latest, address, key, post } from "./service.js";
import { bytes } from "./units.js";

const MOST = 1e9; // bytes that a page keeps in memory
const HASHED = 512e6;
const NAME = "model.safetensors";

export class Download {
  #latest = new Latest();
  #fields;
  #offered = { recipe: "", size: null };
  #running = null;

  /** @param {Record<string, HTMLElement>} fields start, abort, link, bar, amount, said, box, hash. */
  constructor(fields, recipe) {
    this.#fields = fields;
    fields.start.addEventListener("click", () => this.#run(recipe()));
    fields.abort.addEventListener("click", () => this.#latest.begin());
  }

  /** Offer what suits a file of so many bytes; nothing for null. */
  async offer(recipe, size) {
    const { start, link, said, box } = this.#fields;
    const offered = { recipe, size };
    this.#offered = offered;
    start.textContent = size === null ? "Download" : `Download, ${bytes(size)}`;
    const isLarge = size > MOST;
    this.#enable();
    link.hidden = box.hidden = true;
    said.textContent = "";
    if (!isLarge) return;
    const packed = key.value ? null : await pack(compact(recipe));
    if (this.#offered !== offered) return;
    const fits = packed !== null && packed.length <= LONGEST;
    link.hidden = !fits;
    if (fits) link.href = address(`v1/r/${packed}`);
    said.textContent = fits
      ? "A page cannot hold so large a file: this link lets the browser itself fetch it, and resume it."
      : "A page cannot hold so large a file: take the code above, or run tensorseed generate recipe.json -o model.safetensors.";
  }

  /** Let the button start what can be started now. */
  #enable() {
    const { size } = this.#offered;
    this.#fields.start.disabled = Boolean(this.#running) || size === null || size > MOST;
  }

  async #run(recipe) {
    const signal = this.#latest.begin();
    this.#running = signal;
    const { abort, bar, amount, box } = this.#fields;
    this.#enable();
    abort.hidden = bar.hidden = false;
    box.hidden = true;
    this.#say("Asking\u2026");
    try {
      const response = await post("v1/weights", recipe, signal);
      const blob = await this.#received(response);
      save(blob, NAME);
      this.#say(`${NAME} is saved: ${bytes(blob.size)}.`);
      await this.#hash(blob);
    } catch (error) {
      this.#say(error.name === "AbortError" ? "Stopped." : error.message);
    } finally {
      abort.hidden = bar.hidden = true;
      amount.textContent = "";
      this.#running = null;
      this.#enable();
    }
  }

  async #received(response) {
    const total = Number(response.headers.get("Content-Length"));
    const chunks = [];
    let done = 0;
    this.#fields.bar.max = total;
    try {
      for await (const chunk of pieces(response.body)) {
        chunks.push(chunk);
        done += chunk.length;
        this.#fields.bar.value = done;
        this.#fields.amount.textContent = `${bytes(done)} of ${bytes(total)}`;
      }
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error(`The connection broke after ${bytes(done)} of ${bytes(total)}.`);
    }
    if (done !== total) throw new Error(`The body has ${done} bytes of ${total}.`);
    return new Blob(chunks, { type: "application/octet-stream" });
  }

  async #hash(blob) {
    if (!globalThis.crypto?.subtle || blob.size > HASHED) return;
    const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
    const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0"));
    this.#fields.hash.textContent = hex.join("");
    this.#fields.box.hidden = false;
  }

  #say(text) {
    this.#fields.said.textContent = text;
  }
}

/** The chunks of a stream; not every browser can iterate over one. */
async function* pieces(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** Let the reader keep what is in memory as a file. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
