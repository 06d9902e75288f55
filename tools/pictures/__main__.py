"""Draw every picture of the documentation anew, or those that are named: docs/pictures/*.svg."""

import sys

from tools.pictures.drawing import drawn
from tools.pictures.numbers import FOLDER, measured
from tools.pictures.subjects import PICTURES

for picture in PICTURES:
    if not sys.argv[1:] or picture.name in sys.argv[1:]:
        path = FOLDER / f"{picture.name}.svg"
        path.write_bytes(drawn(picture, measured(picture)))
        sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")
