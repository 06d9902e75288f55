/** Complete programs that download a recipe's weights. They contain the recipe. */

import { quoted } from "./quoting.js";

const MAX_RECIPE = 20000; // characters of a recipe in a program; longer ones are read from a file

/** By language: its name, the program's file name, the command that runs it, and the program. */
export const LANGUAGES = {
  curl: { label: "curl", file: "weights.sh", run: "bash weights.sh", program: curl },
  python: { label: "Python", file: "weights.py", run: "pip install safetensors && python weights.py", program: python },
  rust: { label: "Rust", file: "src/main.rs", run: "cargo add reqwest --features blocking && cargo add safetensors && cargo run", program: rust },
  go: { label: "Go", file: "weights.go", run: "go run weights.go", program: go },
  java: { label: "Java", file: "Weights.java", run: "java Weights.java", program: java },
  javascript: { label: "JavaScript", file: "weights.mjs", run: "node weights.mjs", program: javascript },
  cpp: { label: "C++", file: "weights.cpp", run: "g++ -std=c++17 weights.cpp -lcurl -o weights && ./weights", program: cpp },
};

/**
 * The program in a language.
 * @param {string} language
 * @param {{recipe: string, url: string, hasKey: boolean}} request `url` is that of POST /v1/weights.
 *   The program reads the key from the variable TENSORSEED_KEY; it never contains the key.
 */
export function snippet(language, { recipe, url, hasKey }) {
  const { program } = LANGUAGES[language];
  const literal = isFromFile(recipe) ? null : quoted[language](recipe.trimEnd());
  const safe = url.replace(/[$`]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`); // in a shell
  return program({ recipe: literal, url: JSON.stringify(safe), hasKey });
}

/** Whether the recipe is too long for a program, which then reads recipe.json. */
export function isFromFile(recipe) {
  return recipe.length > MAX_RECIPE;
}

/** A line of a program that is included only if a condition is met. */
function when(condition, text) {
  return condition ? `${text}\n` : "";
}

function curl({ recipe, url, hasKey }) {
  return `set -e
curl --fail-with-body --silent --show-error \\
    --header 'Content-Type: application/json' \\
${when(hasKey, `    --header "Authorization: Bearer $TENSORSEED_KEY" \\`)}    --data-binary ${recipe ? "@-" : "@recipe.json"} --output model.safetensors.part \\
    ${url}${recipe ? ` << 'RECIPE'\n${recipe}\nRECIPE` : ""}
mv model.safetensors.part model.safetensors
`;
}

function python({ recipe, url, hasKey }) {
  return `${when(hasKey, "import os")}import shutil
from pathlib import Path
from urllib.request import Request, urlopen

from safetensors import safe_open

RECIPE = ${recipe ?? 'Path("recipe.json").read_text("utf-8")'}

request = Request(${url}, RECIPE.encode(), {"Content-Type": "application/json"})
${when(hasKey, 'request.add_header("Authorization", f"Bearer {os.environ[\'TENSORSEED_KEY\']}")')}part = Path("model.safetensors.part")
with urlopen(request) as response, part.open("wb") as file:
    shutil.copyfileobj(response, file)
    if str(file.tell()) != response.headers["Content-Length"]:
        raise OSError("the response ended early")
part.replace("model.safetensors")

with safe_open("model.safetensors", "numpy") as tensors:
    for name in tensors.keys():
        tensor = tensors.get_slice(name)
        print(name, tensor.get_dtype(), tensor.get_shape())
`;
}

function javascript({ recipe, url, hasKey }) {
  return `import { createWriteStream } from "node:fs";
import { ${recipe ? "" : "readFile, "}rename } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const recipe = ${recipe ?? 'await readFile("recipe.json")'};

const response = await fetch(${url}, {
  method: "POST",
  headers: {
    "Content-Type": "application/json",
${when(hasKey, "    Authorization: `Bearer ${process.env.TENSORSEED_KEY}`,")}  },
  body: recipe,
});
if (!response.ok) throw new Error(await response.text());
const file = createWriteStream("model.safetensors.part");
await pipeline(Readable.fromWeb(response.body), file);
if (String(file.bytesWritten) !== response.headers.get("content-length")) {
  throw new Error("the response ended early");
}
await rename("model.safetensors.part", "model.safetensors");
console.log(\`\${file.bytesWritten} bytes\`);
`;
}

function java({ recipe, url, hasKey }) {
  return `import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

public class Weights {
    public static void main(String[] args) throws IOException, InterruptedException {
        String recipe = ${recipe ?? 'Files.readString(Path.of("recipe.json"))'};
        HttpRequest request = HttpRequest.newBuilder(URI.create(${url}))
            .version(HttpClient.Version.HTTP_1_1)
            .header("Content-Type", "application/json")
${when(hasKey, '            .header("Authorization", "Bearer " + System.getenv("TENSORSEED_KEY"))')}            .POST(HttpRequest.BodyPublishers.ofString(recipe))
            .build();
        Path part = Path.of("model.safetensors.part");
        HttpResponse<Path> response = HttpClient.newHttpClient()
            .send(request, HttpResponse.BodyHandlers.ofFile(part));
        if (response.statusCode() != 200) {
            throw new IOException(Files.readString(part));
        }
        Files.move(part, Path.of("model.safetensors"), StandardCopyOption.REPLACE_EXISTING);
    }
}
`;
}

function go({ recipe, url, hasKey }) {
  return `package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

${recipe ? `const recipe = ${recipe}\n\n` : ""}func main() {
${when(!recipe, '\ttext, err := os.ReadFile("recipe.json")\n\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n\trecipe := string(text)')}	request, err := http.NewRequest("POST", ${url}, strings.NewReader(recipe))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
${when(hasKey, '\trequest.Header.Set("Authorization", "Bearer "+os.Getenv("TENSORSEED_KEY"))')}	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		log.Fatal(string(text))
	}
	file, err := os.Create("model.safetensors.part")
	if err != nil {
		log.Fatal(err)
	}
	// Copy returns an error if the body is shorter than Content-Length.
	size, err := io.Copy(file, response.Body)
	if err == nil {
		err = file.Close()
	}
	if err == nil {
		err = os.Rename("model.safetensors.part", "model.safetensors")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(size, "bytes")
}
`;
}

function rust({ recipe, url, hasKey }) {
  return `use safetensors::SafeTensors;
use std::{error::Error, fs};

${recipe ? `const RECIPE: &str = ${recipe};\n\n` : ""}fn main() -> Result<(), Box<dyn Error>> {
    let response = reqwest::blocking::Client::builder()
        .timeout(None)
        .build()?
        .post(${url})
        .header("Content-Type", "application/json")
${when(hasKey, '        .bearer_auth(std::env::var("TENSORSEED_KEY")?)')}        .body(${recipe ? "RECIPE" : 'fs::read("recipe.json")?'})
        .send()?;
    if !response.status().is_success() {
        return Err(response.text()?.into());
    }
    let file = response.bytes()?;
    fs::write("model.safetensors", &file)?;
    for (name, tensor) in SafeTensors::deserialize(&file)?.tensors() {
        println!("{name} {:?} {:?}", tensor.dtype(), tensor.shape());
    }
    Ok(())
}
`;
}

function cpp({ recipe, url, hasKey }) {
  return `#include <curl/curl.h>

#include <cstdio>
${when(hasKey, "#include <cstdlib>")}${when(!recipe, "#include <fstream>\n#include <iterator>")}#include <string>

int main() {
${recipe ? `    const std::string recipe = ${recipe};` : '    std::ifstream text("recipe.json", std::ios::binary);\n    const std::string recipe(std::istreambuf_iterator<char>(text), {});'}
    std::FILE* file = std::fopen("model.safetensors.part", "wb");
    CURL* curl = curl_easy_init();
    if (!file || !curl) return 1;
    curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
${when(hasKey, '    const char* key = std::getenv("TENSORSEED_KEY");\n    const std::string bearer = std::string("Authorization: Bearer ") + (key ? key : "");\n    headers = curl_slist_append(headers, bearer.c_str());')}    curl_easy_setopt(curl, CURLOPT_URL, ${url});
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, recipe.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(recipe.size()));
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, file);
    // curl returns an error if the body is shorter than Content-Length.
    const CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    const bool is_written = std::fclose(file) == 0;
    if (code != CURLE_OK) {
        std::fprintf(stderr, "%s\\n", curl_easy_strerror(code));
        return 1;
    }
    return is_written && std::rename("model.safetensors.part", "model.safetensors") == 0 ? 0 : 1;
}
`;
}
