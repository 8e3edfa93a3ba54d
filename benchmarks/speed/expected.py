"""What each row of the table was wanted to be, and predicted to be before it was measured."""

from dataclasses import dataclass
from typing import Final

__all__ = ["EXPECTED", "Expected"]


@dataclass(frozen=True)
class Expected:
    """What was expected of a row.

    Attributes:
        at_least: the target, where more is better.
        at_most: the target, where less is better.
        predicted: what was thought before the first measurement; empty for nothing.
    """

    at_least: float | None = None
    at_most: float | None = None
    predicted: str = ""

    def judged(self, value: float) -> str:
        """Return the target and whether it is met."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}, {'met' if value >= self.at_least else '**missed**'}"
        if self.at_most is not None:
            return f"≤ {self.at_most:g}, {'met' if value <= self.at_most else '**missed**'}"
        return "-"


def _on(network: str, predicted: dict[str, str]) -> dict[str, Expected]:
    return {f"{network}: {name} / fine_tune": Expected(predicted=text) for name, text in predicted.items()}


_SEVERAL: Final = "resnet18, several labels, CSRA head"

#: Measurement -> row -> what was expected of it.
EXPECTED: Final[dict[str, dict[str, Expected]]] = {
    "rendering": {
        "numpy / floating point": Expected(predicted="40"),
        "numpy / Pillow alpha_composite": Expected(predicted="8"),
        "torch / floating point": Expected(at_least=1, predicted="1"),
    },
    "encoding": {
        "spliced JPEG, patterns / full JPEG, patterns": Expected(at_least=1.8, predicted="2.1"),
        "spliced JPEG, patch drop 50 % / full JPEG, patch drop 50 %": Expected(predicted="3.5"),
        "stored PNG / Pillow PNG": Expected(predicted="100"),
        "fast PNG, as clean images / Pillow PNG": Expected(predicted="6"),
        "cv2 PNG 1 / Pillow PNG": Expected(predicted="4"),
    },
    "generating": {
        "virtual / png decoded once": Expected(predicted="70"),
        "Parquet, PNG / png decoded once": Expected(predicted="18"),
        "Parquet, PNG / png naive": Expected(predicted="20"),
        "Parquet, spliced JPEG / jpg decoded once": Expected(at_least=2, predicted="2"),
        "Parquet, spliced JPEG / jpg naive": Expected(at_least=20, predicted="8"),
        "WebDataset, PNG / png decoded once": Expected(predicted="6"),
        "WebDataset, spliced JPEG / jpg decoded once": Expected(predicted="2.5"),
        "spliced JPEGs, nothing written / full JPEGs, nothing written": Expected(at_least=1.8, predicted="2.1"),
    },
    "reading": {
        "virtual / Parquet, PNG, rows in order": Expected(predicted="2"),
        "virtual / Parquet, spliced JPEG, rows in order": Expected(predicted="5"),
        "virtual / Parquet, PNG, rows at random": Expected(predicted="2"),
        "virtual / Parquet, spliced JPEG, rows at random": Expected(predicted="0.6"),
        "a random row of 240 patterns, just opened: 95 % mark": Expected(at_most=5),
        "a random row of 240 patterns, warm: 95 % mark": Expected(at_most=5),
        "a random row of 240 patterns, files dropped from the page cache: 95 % mark": Expected(at_most=5),
    },
    "training": {
        **_on("tiny", dict.fromkeys(("asl", "tent"), "1.0")),
        **_on("tiny", dict.fromkeys(("cutmix", "cutout", "gridmask", "hide_and_seek", "mixup"), "1.05")),
        **_on("tiny", dict.fromkeys(("random_erasing", "patch_mixing", "pattern_paste"), "1.1")),
        **_on("tiny", dict.fromkeys(("part_blackout", "part_replace", "sd_inpaint"), "2.0")),
        **_on("tiny", dict.fromkeys(("frozen", "knn", "linear_probe"), "0.3")),
        "tiny: dfv / fine_tune": Expected(at_most=1.15, predicted="1.14"),
        "tiny: msl / fine_tune": Expected(at_most=2.05, predicted="2.0"),
        "tiny: sd_features / fine_tune": Expected(predicted="3"),
        "resnet18: dfv / fine_tune": Expected(at_most=1.15, predicted="1.14"),
        "resnet18: msl / fine_tune": Expected(at_most=2.05, predicted="2.0"),
        "resnet18: learn / fine_tune": Expected(predicted="0.8"),
        **_on("resnet18", dict.fromkeys(("cutmix", "mixup"), "1.0")),
        "resnet18: part_blackout / fine_tune": Expected(predicted="2.0"),
        "resnet18: pattern_paste / fine_tune": Expected(predicted="1.05"),
        "resnet18: tent / fine_tune": Expected(predicted="1.0"),
        "resnet18, layer4+fc: dfv / fine_tune": Expected(at_most=1.15, predicted="1.06"),
        "resnet18: learn from kept maps / learn through the network": Expected(at_least=10, predicted="13"),
        f"{_SEVERAL}: msl, 80 / plain, 80 classes": Expected(at_most=2.05, predicted="1.98"),
        f"{_SEVERAL}: plain, 80 / plain, 20 classes": Expected(at_most=1.02, predicted="1.01"),
        f"{_SEVERAL}: plain, 20 again / plain, 20 classes": Expected(predicted="1.00"),
    },
    "scoring": {
        f"{network}: {row}": expected
        for network, share in (("resnet18", 0.95), ("resnet50", 0.97))
        for row, expected in {
            "score, one label / bare forward": Expected(at_least=share, predicted="0.98"),
            "score, several labels / bare forward": Expected(at_least=share, predicted="0.98"),
            "ready model, mixed cells / bare forward": Expected(at_least=share, predicted="0.95"),
            "ready model, stored rows / bare forward": Expected(predicted="0.9"),
            "score / data loader": Expected(predicted="1.16; 10 on a GPU"),
        }.items()
    },
    "diffusion": {
        "inpaint / bare pipeline": Expected(at_least=0.9, predicted="0.98"),
        "generate / bare pipeline": Expected(predicted="0.84"),
        "features / bare pass to the block": Expected(at_least=0.9, predicted="0.98"),
        "features / bare pass": Expected(predicted="1.4"),
    },
    "publishing": {
        "publish / hash and copy": Expected(predicted="4"),
        "publish / upload_folder": Expected(predicted="1.3"),
    },
    "workers": {
        "local: two workers / one": Expected(at_least=1.7, predicted="1.9"),
        "Ray: two workers / one": Expected(at_least=1.7, predicted="1.9"),
        "Ray / local, one worker(s)": Expected(predicted="1.0"),
        "Ray / local, two worker(s)": Expected(predicted="0.95"),
        **{
            f"peak memory of a worker, Parquet, {kind}, {images} photographs": Expected(at_most=1024, predicted="240")
            for kind in ("PNG", "spliced JPEG")
            for images in (500, 3000)
        },
        "the driver's time for a task on Ray": Expected(predicted="0.67"),
        "a task on Ray, two workers": Expected(predicted="1.3"),
    },
}
