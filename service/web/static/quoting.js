/**
 * Quotes a JSON text as a literal of each language. Characters that would end a literal occur in
 * JSON only within strings, where a JSON escape can replace them.
 */

const escaped = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Invisible and bidirectional characters, which compilers reject or warn about. */
const HIDDEN = /[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

function plain(text, pattern) {
  const visible = text.replace(HIDDEN, escaped);
  return pattern ? visible.replace(pattern, escaped) : visible;
}

/** By language: a function from a JSON text to an expression of that language. */
export const quoted = {
  // The line RECIPE, which ends the here-document, cannot occur in JSON.
  curl: (text) => plain(text),
  // Three quotes in a row cannot occur in JSON.
  python: (text) => `r"""${plain(text)}"""`,
  rust: (text) => {
    const longest = Math.max(0, ...[...text.matchAll(/"(#*)/g)].map(([, hashes]) => hashes.length));
    const hashes = "#".repeat(longest + 1);
    return `r${hashes}"${plain(text)}"${hashes}`;
  },
  go: (text) => `\`${plain(text, /`/g)}\``,
  java: (text) => `"""\n${plain(text).replaceAll("\\", "\\\\")}"""`,
  javascript: (text) => `String.raw\`${plain(text, /[`$]/g)}\``,
  cpp: (text) => {
    let mark = "json";
    while (text.includes(`)${mark}"`)) mark += "_";
    return `R"${mark}(${plain(text)})${mark}"`;
  },
};
