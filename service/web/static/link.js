/** Texts in URLs: zlib-compressed, in base64url, as the service's own links are. */

const FORM = "1."; // of what a fragment carries

/** What the service takes in /v1/r/, at most. */
export const LONGEST = 4096;

/** A text as characters that a URL may have. */
export async function pack(text) {
  const packed = await through(new CompressionStream("deflate"), new TextEncoder().encode(text));
  let binary = "";
  for (const byte of packed) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/**
 * The text that was packed.
 * @throws {Error} It was cut or changed.
 */
export async function unpack(link) {
  const binary = atob(link.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
  const text = await through(new DecompressionStream("deflate"), bytes);
  return new TextDecoder("utf-8", { fatal: true }).decode(text);
}

async function through(stream, bytes) {
  const writer = stream.writable.getWriter();
  const written = writer.write(bytes).then(() => writer.close());
  const [made] = await Promise.all([new Response(stream.readable).arrayBuffer(), written]);
  return new Uint8Array(made);
}

/** The fragment of a link to this page as it is. */
export async function fragmentOf(state) {
  return `#${FORM}${await pack(JSON.stringify(state))}`;
}

/**
 * What a fragment carries.
 * @throws {Error} It is cut, changed or of another form.
 */
export async function stateOf(fragment) {
  if (!fragment.startsWith(`#${FORM}`)) throw new Error("another form");
  const state = JSON.parse(await unpack(fragment.slice(FORM.length + 1)));
  if (typeof state.recipe !== "string") throw new Error("no recipe");
  return state;
}
