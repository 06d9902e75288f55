/** Texts in URLs: zlib-compressed base64url, the encoding of the service's own links. */

const VERSION = "1."; // of the format of fragments

/** Most characters that the service accepts after /v1/r/. */
export const MAX_LINK = 4096;

/** Encode a text in characters that are allowed in a URL. */
export async function pack(text) {
  const packed = await through(new CompressionStream("deflate"), new TextEncoder().encode(text));
  let binary = "";
  for (const byte of packed) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/**
 * Decode a text that `pack` encoded.
 * @throws {Error} It was truncated or changed.
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
  const [result] = await Promise.all([new Response(stream.readable).arrayBuffer(), written]);
  return new Uint8Array(result);
}

/** Encode the page's state as the fragment of a link. */
export async function fragmentOf(state) {
  return `#${VERSION}${await pack(JSON.stringify(state))}`;
}

/**
 * Decode the page's state from a fragment.
 * @throws {Error} It was truncated or changed, or has another version.
 */
export async function stateOf(fragment) {
  if (!fragment.startsWith(`#${VERSION}`)) throw new Error("another version");
  const state = JSON.parse(await unpack(fragment.slice(VERSION.length + 1)));
  if (typeof state.recipe !== "string") throw new Error("no recipe");
  return state;
}
