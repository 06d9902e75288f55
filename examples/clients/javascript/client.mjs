// POST a recipe, stream the safetensors file to disk, print each tensor's first values.
//
//     node client.mjs [URL [RECIPE [OUTPUT]]]

import { createWriteStream } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const SIZES = { F64: 8, I64: 8, F32: 4, F16: 2, BF16: 2, F8_E4M3: 1, F8_E5M2: 1 };

/** Write the recipe's file to `output` and return its ETag. */
async function fetchWeights(url, recipe, output) {
  const response = await fetch(`${url.replace(/\/$/, "")}/v1/weights`, {
    method: "POST",
    // fetch accepts compressed responses, whose Content-Length is not the file's length.
    headers: { "Content-Type": "application/json", "Accept-Encoding": "identity" },
    body: await readFile(recipe),
  });
  if (!response.ok) {
    throw new Error(await reason(response));
  }
  // Write to another file and rename it, so that `output` is never incomplete.
  const part = `${output}.part`;
  try {
    const file = createWriteStream(part);
    await pipeline(Readable.fromWeb(response.body), file);
    const announced = response.headers.get("content-length");
    if (announced !== String(file.bytesWritten)) {
      throw new Error(`the body has ${file.bytesWritten} bytes of ${announced}`);
    }
    await rename(part, output);
  } finally {
    await rm(part, { force: true });
  }
  return response.headers.get("etag");
}

/** Return the service's error message; a proxy's error may not be JSON. */
async function reason(response) {
  const type = response.headers.get("content-type") ?? "";
  return type.startsWith("application/problem+json")
    ? (await response.json()).detail
    : `HTTP ${response.status} ${response.statusText}`;
}

/** Return the header's `[name, tensor]` pairs in file order. */
function entries(text) {
  // Objects list integer keys like "10" first, in numeric order. A "/" before each name keeps the
  // file's order. The pattern matches every string; those followed by an object are names.
  const marked = text.replace(/"((?:[^"\\]|\\.)*)"(:\{)?/g, (string, inside, named) =>
    named ? `"/${inside}":{` : string,
  );
  return Object.entries(JSON.parse(marked))
    .map(([name, tensor]) => [name.slice(1), tensor])
    .filter(([name]) => name !== "__metadata__");
}

/** Print one line for each tensor: name, dtype, shape, the bits of up to three values. */
async function printTensors(path) {
  const file = await open(path);
  const read = async (position, length) =>
    (await file.read(Buffer.alloc(length), 0, length, position)).buffer;
  try {
    const length = Number((await read(0, 8)).readBigUInt64LE());
    for (const [name, tensor] of entries((await read(8, length)).toString())) {
      const { dtype, shape, data_offsets: [begin, end] } = tensor;
      const size = SIZES[dtype];
      const count = Math.min(3, (end - begin) / size);
      const data = await read(8 + length + begin, count * size);
      // To compute with the values: data.readFloatLE(4 * i) for F32.
      const values = Array.from({ length: count }, (_, i) =>
        data.subarray(i * size, (i + 1) * size).reverse().toString("hex"),
      );
      console.log([name, dtype, `[${shape}]`, ...values].join(" "));
    }
  } finally {
    await file.close();
  }
}

const [
  url = "http://127.0.0.1:8000",
  recipe = "examples/recipes/mnist-mlp.json",
  output = "model.safetensors",
] = process.argv.slice(2);

try {
  const etag = await fetchWeights(url, recipe, output);
  await printTensors(output);
  console.log(`ETag ${etag}`);
} catch (error) {
  // The error of fetch says only that it failed; its cause says why.
  console.error([error.message, error.cause?.message].filter(Boolean).join(": "));
  process.exitCode = 1;
}
