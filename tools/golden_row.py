"""Print a row for tests/golden/v1.kat from a recipe on standard input.

Rows are only ever added: one that exists and changes is a defect of the change.
"""

import json
import sys

import service


def main() -> None:
    """Print the row: kind, recipe, and the bytes after the header in hexadecimal."""
    document = json.load(sys.stdin)
    plan = service.compile(service.parse(document))
    data = b"".join(service.stream(plan, (len(plan.header), plan.nbytes)))
    recipe = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    print("data", recipe, data.hex(), sep="\t")


if __name__ == "__main__":
    main()
