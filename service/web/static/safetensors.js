/** Reading some values of a tensor from a safetensors stream, and letting the rest of it go. */

/** Bytes of a value, and how to read one at a byte. Files are little-endian. */
const DTYPES = {
  F64: [8, (data, at) => data.getFloat64(at, true)],
  F32: [4, (data, at) => data.getFloat32(at, true)],
  F16: [2, (data, at) => small(data.getUint16(at, true), 5, 10)],
  BF16: [2, (data, at) => small(data.getUint16(at, true), 8, 7)],
  F8_E4M3: [1, (data, at) => small(data.getUint8(at), 4, 3, true)],
  F8_E5M2: [1, (data, at) => small(data.getUint8(at), 5, 2)],
  I64: [8, (data, at) => Number(data.getBigInt64(at, true))],
};

/** A binary float of `exponent` and `fraction` bits; e4m3fn is one `withoutInfinity`. */
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
 * The first values of a tensor.
 * @param {ReadableStream<Uint8Array>} stream A safetensors file; it is cancelled.
 * @param {string} name The tensor's.
 * @param {number} most Values.
 * @returns {Promise<{values: number[], total: number, dtype: string}>} `total` are all it has.
 * @throws {Error} The file ends early, or has no such tensor.
 */
export async function sample(stream, name, most) {
  const taken = new Taken(stream.getReader());
  try {
    const header = Number((await taken.view(0, 8)).getBigUint64(0, true));
    const view = await taken.view(8, header);
    const { dtype, data_offsets: [begin, end] } = named(JSON.parse(new TextDecoder().decode(view)), name);
    const [size, read] = DTYPES[dtype];
    const total = (end - begin) / size;
    const kept = Math.min(most, total);
    const data = await taken.view(8 + header + begin, kept * size);
    return { values: Array.from({ length: kept }, (_, i) => read(data, i * size)), total, dtype };
  } finally {
    await taken.end();
  }
}

function named(header, name) {
  if (!Object.hasOwn(header, name)) throw new Error(`the file has no tensor ${name}`);
  return header[name];
}

/** What has come of a stream so far, from its beginning. */
class Taken {
  #reader;
  #chunks = [];
  #length = 0;

  constructor(reader) {
    this.#reader = reader;
  }

  async view(start, length) {
    while (this.#length < start + length) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("the answer ended early");
      this.#chunks.push(value);
      this.#length += value.length;
    }
    const whole = await new Blob(this.#chunks).slice(start, start + length).arrayBuffer();
    return new DataView(whole);
  }

  async end() {
    await this.#reader.cancel();
  }
}
