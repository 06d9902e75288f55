/** Reads the first values of a tensor from a safetensors stream, and cancels the rest. */

/** By dtype: bytes of a value, and a function that reads one at an offset. Files are little-endian. */
const DTYPES = {
  F64: [8, (data, at) => data.getFloat64(at, true)],
  F32: [4, (data, at) => data.getFloat32(at, true)],
  F16: [2, (data, at) => small(data.getUint16(at, true), 5, 10)],
  BF16: [2, (data, at) => small(data.getUint16(at, true), 8, 7)],
  F8_E4M3: [1, (data, at) => small(data.getUint8(at), 4, 3, true)],
  F8_E5M2: [1, (data, at) => small(data.getUint8(at), 5, 2)],
  I64: [8, (data, at) => Number(data.getBigInt64(at, true))],
};

/** Decode a float with `exponent` and `fraction` bits; F8_E4M3 (e4m3fn) is `withoutInfinity`. */
function small(word, exponent, fraction, withoutInfinity = false) {
  const bias = 2 ** (exponent - 1) - 1;
  const sign = word >> (exponent + fraction) ? -1 : 1;
  const power = (word >> fraction) & (2 ** exponent - 1);
  const part = (word & (2 ** fraction - 1)) / 2 ** fraction;
  if (power === 2 ** exponent - 1) {
    if (!withoutInfinity) return part ? NaN : sign * Infinity;
    if (part === 1 - 2 ** -fraction) return NaN;
  }
  return power ? sign * 2 ** (power - bias) * (1 + part) : sign * 2 ** (1 - bias) * part;
}

/**
 * Read the first values of a tensor.
 * @param {ReadableStream<Uint8Array>} stream A safetensors file; cancelled afterwards.
 * @param {string} name The tensor's name.
 * @param {number} limit Most values to read.
 * @returns {Promise<{values: number[], total: number, dtype: string}>} `total` counts all values.
 * @throws {Error} The file ends early, or has no such tensor.
 */
export async function sample(stream, name, limit) {
  const file = new Buffered(stream.getReader());
  try {
    const header = Number((await file.view(0, 8)).getBigUint64(0, true));
    const view = await file.view(8, header);
    const { dtype, data_offsets: [begin, end] } = entryOf(JSON.parse(new TextDecoder().decode(view)), name);
    const [size, read] = DTYPES[dtype];
    const total = (end - begin) / size;
    const kept = Math.min(limit, total);
    const data = await file.view(8 + header + begin, kept * size);
    return { values: Array.from({ length: kept }, (_, i) => read(data, i * size)), total, dtype };
  } finally {
    await file.close();
  }
}

function entryOf(header, name) {
  if (!Object.hasOwn(header, name)) throw new Error(`the file has no tensor ${name}`);
  return header[name];
}

/** The bytes of a stream that arrived so far. */
class Buffered {
  #reader;
  #chunks = [];
  #length = 0;

  constructor(reader) {
    this.#reader = reader;
  }

  /** Wait for `length` bytes from `start` on, and return a view of them. */
  async view(start, length) {
    while (this.#length < start + length) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("the response ended early");
      this.#chunks.push(value);
      this.#length += value.length;
    }
    const whole = await new Blob(this.#chunks).slice(start, start + length).arrayBuffer();
    return new DataView(whole);
  }

  async close() {
    await this.#reader.cancel();
  }
}
