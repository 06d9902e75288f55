/**
 * A JSON text as a literal of each language. What would end a literal can stand in JSON only within
 * a string, where an escape of JSON's own says the same.
 */

const escaped = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Characters that compilers take for an attempt to deceive the reader, or cannot read. */
const HIDDEN = /[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

function plain(text, pattern) {
  const visible = text.replace(HIDDEN, escaped);
  return pattern ? visible.replace(pattern, escaped) : visible;
}

/** By language: from JSON to the expression of its text. */
export const quoted = {
  // No line of JSON is RECIPE alone, which would end the text.
  curl: (text) => plain(text),
  // Three quotes in a row are not JSON.
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
