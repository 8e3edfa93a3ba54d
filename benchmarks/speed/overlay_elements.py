"""The same variants with albumentations' OverlayElements; runs in an environment of its own.

    PYTHON overlay_elements.py WORK.json

``WORK.json``: photos, patterns ([RGBA file, x0, y0] each), side, suffix, out. Prints processor seconds and versions as
JSON. OverlayElements pastes where alpha is not 0 and does not blend, so its variants are not the same pixels.
"""

import json
import sys
import time
from pathlib import Path

import albumentations
import cv2
import numpy as np


def main() -> None:
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    cv2.setNumThreads(1)
    side, suffix, out = work["side"], work["suffix"], Path(work["out"])
    overlays = []
    for file, x0, y0 in work["patterns"]:
        rgba = cv2.cvtColor(cv2.imread(file, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)
        height, width = rgba.shape[:2]
        box = (x0 / side, y0 / side, (x0 + width) / side, (y0 + height) / side)
        overlays.append({"image": rgba[..., :3].copy(), "mask": (rgba[..., 3] > 0).astype("uint8"), "bbox": box})
    resize = albumentations.Resize(side, side, p=1)
    overlay = albumentations.Compose([albumentations.OverlayElements(p=1)])
    both = albumentations.Compose([resize, albumentations.OverlayElements(p=1)])

    def save(image: np.ndarray, photo: str, number: int) -> None:
        name = str(out / f"{Path(photo).stem}-{number}{suffix}")
        cv2.imwrite(name, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])

    start = time.process_time()
    for photo in work["photos"]:
        for number, element in enumerate(overlays):
            image = cv2.cvtColor(cv2.imread(photo), cv2.COLOR_BGR2RGB)
            save(both(image=image, overlay_metadata=[element])["image"], photo, number)
    naive_s = time.process_time() - start

    start = time.process_time()
    for photo in work["photos"]:
        image = resize(image=cv2.cvtColor(cv2.imread(photo), cv2.COLOR_BGR2RGB))["image"]
        for number, element in enumerate(overlays):
            save(overlay(image=image, overlay_metadata=[element])["image"], photo, number)
    once_s = time.process_time() - start
    versions = {"albumentations": albumentations.__version__, "opencv": cv2.__version__}
    print(json.dumps({"naive_s": naive_s, "decode_once_s": once_s, "versions": versions}))


if __name__ == "__main__":
    main()
