// What @huggingface/hub makes of a server: node client.mjs FOLDER_OF_MODULES URL CACHE, JSON out.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, hubUrl, cacheDir] = process.argv.slice(2);
const require = createRequire(join(modules, "client.js"));
const hub = await import(pathToFileURL(require.resolve("@huggingface/hub")));
console.debug = () => {};

const repo = "acme/tiny-llama";
const at = { repo, hubUrl, revision: "seed-7" };
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());
const statusOf = (promise) => promise.then(() => "none", (error) => error.statusCode);
const listed = async (files) => {
  const sizes = {};
  for await (const file of files) sizes[file.path] = [file.type, file.size];
  return sizes;
};

const answer = {};
const weights = await hub.downloadFile({ ...at, path: "model.safetensors" });
answer.whole = sha256(await bytesOf(weights));
answer.slice = sha256(await bytesOf(weights.slice(5001, 8004)));
answer.config = await (await hub.downloadFile({ ...at, path: "config.json" })).text();
answer.exist = [];
for (const path of ["config.json", "model.safetensors", "nothing"]) {
  const info = await hub.fileDownloadInfo({ ...at, path });
  answer.exist.push([await hub.fileExists({ ...at, path }), info && info.size]);
}
answer.listed = await listed(hub.listFiles({ ...at, recursive: true, expand: true }));
const paths = ["config.json", "nothing"];
answer.paths = (await hub.pathsInfo({ ...at, paths, expand: true })).map((info) => info.path);
const fields = { hubUrl, name: repo, additionalFields: ["sha", "filePaths"] };
answer.main = await hub.modelInfo(fields);
answer.model = await hub.modelInfo({ ...fields, revision: "seed-7" });
answer.metadata = await hub.parseSafetensorsMetadata({ ...at, computeParametersCount: true });
await hub.checkRepoAccess({ repo, hubUrl });
answer.errors = [
  await statusOf(hub.checkRepoAccess({ repo: "acme/none", hubUrl })),
  await statusOf(hub.downloadFile({ ...at, revision: "v1.0", path: "config.json" })),
  await hub.repoExists({ repo, hubUrl }),
  await hub.repoExists({ repo: "acme/none", hubUrl }),
];
const cached = await hub.downloadFileToCacheDir({ ...at, cacheDir, path: "config.json" });
const snapshot = await hub.snapshotDownload({ ...at, cacheDir });
answer.cached = [cached, snapshot];
answer.snapshot = Object.fromEntries(
  readdirSync(snapshot).map((name) => [name, sha256(readFileSync(join(snapshot, name)))]),
);
console.log(JSON.stringify(answer));
