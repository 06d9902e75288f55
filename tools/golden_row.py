"""Print a row for tests/golden/v1.kat from a recipe on standard input.

Rows are only ever added. If an existing row would have to change, the change of the code is wrong.
"""

import hashlib
import json
import sys

import service


def main() -> None:
    """Print a row: of the file's digests if the recipe has layers or a model, else of its data."""
    document = json.load(sys.stdin)
    parsed = service.parse(document)
    plan = service.compile(parsed)
    data = b"".join(service.stream(plan))
    recipe = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if parsed.layers or parsed.model:
        sha256 = hashlib.sha256(data).hexdigest()
        print("file", recipe, parsed.recipe_id, plan.digest, sha256, sep="\t")
    else:
        print("data", recipe, data[len(plan.header) :].hex(), sep="\t")


if __name__ == "__main__":
    main()
