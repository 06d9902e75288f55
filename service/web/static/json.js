/** A JSON parser that keeps each value's place in the text, for error messages and small edits. */

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /(?:true|false|null)\b/y;
const MAX_DEPTH = 200;

/** A syntax error, with its place in the text. */
export class Malformed extends Error {
  constructor(message, start, end = start + 1) {
    super(message);
    this.start = start;
    this.end = end;
  }
}

/**
 * Parse a JSON text.
 * @returns {object} A node: `kind` (object, array, string, number, literal), `start` and `end` in
 *   characters; objects have `members` (`key`, `start`, `end`, `value`), arrays `items`.
 * @throws {Malformed} At the first syntax error.
 */
export function parse(text) {
  const reader = new Reader(text);
  const root = reader.value(0);
  reader.space();
  if (reader.at < text.length) throw new Malformed("unexpected text after the recipe", reader.at);
  return root;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found?.[0];
  }

  space() {
    this.match(SPACE);
    return this.text[this.at];
  }

  value(depth) {
    const next = this.space();
    const start = this.at;
    if (depth > MAX_DEPTH) throw new Malformed(`nested deeper than ${MAX_DEPTH} levels`, start);
    if (next === "{") return this.object(start, depth);
    if (next === "[") return this.array(start, depth);
    for (const [kind, pattern] of [["string", STRING], ["number", NUMBER], ["literal", LITERAL]]) {
      if (this.match(pattern) !== undefined) return { kind, start, end: this.at };
    }
    throw new Malformed(stray(next, "a value is missing"), start);
  }

  object(start, depth) {
    const members = [];
    this.each("}", () => {
      const keyStart = this.at;
      const key = this.match(STRING);
      if (key === undefined) throw new Malformed(stray(this.text[this.at], "a name in double quotes is missing"), this.at);
      const keyEnd = this.at;
      if (this.space() !== ":") throw new Malformed("a colon is missing after a name", this.at);
      this.at += 1;
      const value = this.value(depth + 1);
      members.push({ key: JSON.parse(key), start: keyStart, end: keyEnd, value });
    });
    return { kind: "object", start, end: this.at, members };
  }

  array(start, depth) {
    const items = [];
    this.each("]", () => items.push(this.value(depth + 1)));
    return { kind: "array", start, end: this.at, items };
  }

  /** Parse the comma-separated pieces up to a closing bracket. */
  each(close, read) {
    this.at += 1;
    if (this.space() === close) {
      this.at += 1;
      return;
    }
    for (;;) {
      read();
      const next = this.space();
      if (next !== close && next !== ",") throw new Malformed(stray(next, `a comma or ${close} is missing`), this.at);
      const comma = this.at;
      this.at += 1;
      if (next === close) return;
      if (this.space() === close) throw new Malformed(`remove the comma before ${close}`, comma);
    }
  }
}

function stray(letter, otherwise) {
  if (letter === undefined) return "the text ends too early";
  if (letter === "'") return "strings need double quotes";
  if (letter === "/" || letter === "#") return "JSON has no comments";
  if (letter === '"' && !otherwise.startsWith("a comma")) return "a string is not closed, or has an invalid escape";
  return otherwise;
}

/** The value of a member of an object's node, or undefined. */
export function member(node, key) {
  return node?.kind === "object" ? node.members.find((each) => each.key === key)?.value : undefined;
}

/**
 * The place in the text that a JSON Pointer refers to.
 * @returns {{start: number, end: number}} A member's place includes its key. For a value that does
 *   not exist, the nearest enclosing value.
 */
export function placeOf(root, pointer) {
  let node = root;
  let place = { start: root.start, end: root.start + 1 };
  for (const step of pointer.split("/").slice(1)) {
    const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
    const found = node.kind === "object" && node.members.findLast((each) => each.key === key);
    if (found) place = { start: found.start, end: found.value.end };
    node = found ? found.value : node.kind === "array" ? node.items[Number(key)] : undefined;
    if (!node) return place;
    if (!found) place = { start: node.start, end: node.end };
  }
  return place;
}

/** The line number of a character, from 1. */
export function lineOf(text, at) {
  let line = 1;
  for (let i = text.indexOf("\n"); i >= 0 && i < at; i = text.indexOf("\n", i + 1)) line += 1;
  return line;
}

/** A value as JSON on one line, with a space after commas and colons. */
export function inline(value) {
  return oneLine(JSON.stringify(value));
}

function oneLine(text) {
  return print(text, parse(text));
}

function print(text, node) {
  if (node.kind === "object") {
    const members = node.members.map((each) => `${JSON.stringify(each.key)}: ${print(text, each.value)}`);
    return `{${members.join(", ")}}`;
  }
  if (node.kind === "array") return `[${node.items.map((item) => print(text, item)).join(", ")}]`;
  return text.slice(node.start, node.end); // the original text: numbers keep all digits
}

/** A recipe's text with one member per line, and one item per line in lists of objects. */
export function format(text) {
  const root = parse(text);
  if (root.kind !== "object") return print(text, root);
  const lines = root.members.map(({ key, value }) => {
    const isList = value.kind === "array" && value.items.some((item) => item.kind === "object");
    const printed = isList
      ? `[\n${value.items.map((item) => `    ${print(text, item)}`).join(",\n")}\n  ]`
      : print(text, value);
    return `  ${JSON.stringify(key)}: ${printed}`;
  });
  return `{\n${lines.join(",\n")}\n}\n`;
}

/** A JSON text without whitespace outside strings. */
export function compact(text) {
  return text.replace(/"(?:[^"\\]|\\.)*"|[ \t\n\r]+/g, (piece) => (piece.startsWith('"') ? piece : ""));
}
