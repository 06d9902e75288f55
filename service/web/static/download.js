/** The download of model.safetensors, with progress and an abort button; for large files a link. */

import { MAX_LINK, pack } from "./link.js";
import { compact } from "./json.js";
import { Latest, address, key, post } from "./service.js";
import { bytes } from "./units.js";

const MAX_BYTES = 1e9; // that a page keeps in memory
const MAX_HASHED_BYTES = 512e6;
const NAME = "model.safetensors";

export class Download {
  #latest = new Latest();
  #fields;
  #offered = { recipe: "", size: null };
  #running = null;

  /** @param {Record<string, HTMLElement>} fields start, abort, link, bar, amount, status, box, hash. */
  constructor(fields, recipe) {
    this.#fields = fields;
    fields.start.addEventListener("click", () => this.#run(recipe()));
    fields.abort.addEventListener("click", () => this.#latest.begin());
  }

  /** Offer a download of `size` bytes: the button, or a link for a large file; nothing for null. */
  async offer(recipe, size) {
    const { start, link, status, box } = this.#fields;
    const offered = { recipe, size };
    this.#offered = offered;
    start.textContent = size === null ? "Download" : `Download, ${bytes(size)}`;
    const isLarge = size > MAX_BYTES;
    this.#enable();
    link.hidden = box.hidden = true;
    status.textContent = "";
    if (!isLarge) return;
    const packed = key.value ? null : await pack(compact(recipe));
    if (this.#offered !== offered) return;
    const fits = packed !== null && packed.length <= MAX_LINK;
    link.hidden = !fits;
    if (fits) link.href = address(`v1/r/${packed}`);
    status.textContent = fits
      ? "The file is too large for this page. The link starts a normal browser download, which can be resumed."
      : "The file is too large for this page. Use one of the programs, or run: tensorseed generate recipe.json -o model.safetensors";
  }

  /** Enable the button if a download can start now. */
  #enable() {
    const { size } = this.#offered;
    this.#fields.start.disabled = Boolean(this.#running) || size === null || size > MAX_BYTES;
  }

  async #run(recipe) {
    const signal = this.#latest.begin();
    this.#running = signal;
    const { abort, bar, amount, box } = this.#fields;
    this.#enable();
    abort.hidden = bar.hidden = false;
    box.hidden = true;
    this.#showStatus("Waiting for the server\u2026");
    try {
      const response = await post("v1/weights", recipe, signal);
      const blob = await this.#received(response);
      save(blob, NAME);
      this.#showStatus(`${NAME} is saved: ${bytes(blob.size)}.`);
      await this.#hash(blob);
    } catch (error) {
      this.#showStatus(error.name === "AbortError" ? "Stopped." : error.message);
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
    if (done !== total) throw new Error(`The response ended after ${done} of ${total} bytes.`);
    return new Blob(chunks, { type: "application/octet-stream" });
  }

  async #hash(blob) {
    if (!globalThis.crypto?.subtle || blob.size > MAX_HASHED_BYTES) return;
    const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
    const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0"));
    this.#fields.hash.textContent = hex.join("");
    this.#fields.box.hidden = false;
  }

  #showStatus(text) {
    this.#fields.status.textContent = text;
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

/** Save a blob as a file, through a download of the browser. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
