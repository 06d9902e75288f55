#!/usr/bin/env bash
# POST a recipe, stream the safetensors file to disk, print each tensor's first values.
#
#     bash client.sh [URL [RECIPE [OUTPUT]]]
set -euo pipefail

url=${1:-http://127.0.0.1:8000}
recipe=${2:-examples/recipes/mnist-mlp.json}
output=${3:-model.safetensors}

# Write to another file and rename it, so that OUTPUT is never incomplete.
part=$output.part
trap 'rm -f -- "$part"' EXIT

# Decodes the escapes of a JSON string. printf %b decodes all of them except \" and the pairs of \u
# that encode one character above U+FFFF.
unescape() {
    local text=${1//\\\\/\\x5c} pair='\\u(d[89ab]..)\\u(d[c-f]..)' code
    text=${text//\\\"/\"}
    while [[ $text =~ $pair ]]; do
        code=$((0x10000 + ((0x${BASH_REMATCH[1]} & 0x3ff) << 10) + (0x${BASH_REMATCH[2]} & 0x3ff)))
        printf -v code '\\U%08x' "$code"
        text=${text//"${BASH_REMATCH[0]}"/"$code"}
    done
    printf '%b' "$text"
}

# curl fails with status 18 if the body ends before Content-Length bytes. With --fail-with-body, an
# HTTP error (status 22) keeps its body: a problem document that describes the error.
answer=$(curl --silent --show-error --fail-with-body \
    --header 'Content-Type: application/json' --data-binary @- \
    --output "$part" --write-out '%{size_download}|%header{content-length}|%header{etag}' \
    "${url%/}/v1/weights" <"$recipe") || {
    status=$?
    pattern='"detail": *"(([^"\\]|\\.)*)"'
    if ((status == 22)) && [[ $(<"$part") =~ $pattern ]]; then
        printf '%s\n' "$(unescape "${BASH_REMATCH[1]}")" >&2
    fi
    exit 1
}
# Without a Content-Length, curl treats the end of the connection as the end of the body.
IFS='|' read -r received announced etag <<<"$answer"
if [[ $received != "$announced" ]]; then
    echo "the body has $received bytes; announced were: ${announced:-none}" >&2
    exit 1
fi
mv -- "$part" "$output"
trap - EXIT

# numbers OFFSET SIZE COUNT: prints COUNT little-endian numbers of the file in hexadecimal. od
# prints single bytes, which are the same on every machine; each number is its bytes reversed.
numbers() {
    local bytes i j number
    read -r -d '' -a bytes < <(od -A n -v -t x1 -j "$1" -N $(($2 * $3)) -- "$output") || true
    for ((i = $2; i <= ${#bytes[@]}; i += $2)); do
        number=
        for ((j = 1; j <= $2; j++)); do number+=${bytes[i - j]}; done
        printf ' %s' "$number"
    done
}

# The file: the header's length as u64, the header, the data.
length=$((16#$(numbers 0 8 1 | tr -d ' ')))

# The header has one fixed form (docs/generator-v1.md), so a pattern finds every tensor in it.
# It cannot match inside a string: there, every quote is preceded by a backslash.
entry='"(([^"\\]|\\.)*)":\{"dtype":"([A-Z0-9_]+)","shape":(\[[0-9,]*\]),'
entry+='"data_offsets":\[([0-9]+),([0-9]+)\]\}'
export LC_ALL=C # names are printed byte for byte
while IFS= read -r line; do
    [[ $line =~ $entry ]]
    name=${BASH_REMATCH[1]} dtype=${BASH_REMATCH[3]} shape=${BASH_REMATCH[4]}
    begin=${BASH_REMATCH[5]} end=${BASH_REMATCH[6]}
    case $dtype in
        F64 | I64) size=8 ;;
        F32) size=4 ;;
        F16 | BF16) size=2 ;;
        F8_*) size=1 ;;
        *) echo "unknown dtype $dtype" >&2 && exit 1 ;;
    esac
    count=$(((end - begin) / size))
    unescape "$name"
    printf ' %s %s' "$dtype" "$shape"
    numbers $((8 + length + begin)) "$size" $((count < 3 ? count : 3))
    printf '\n'
done < <(head -c $((8 + length)) -- "$output" | tail -c +9 | grep -aoE "$entry")

printf 'ETag %s\n' "$etag"
