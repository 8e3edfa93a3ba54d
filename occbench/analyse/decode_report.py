"""The page of figure 7: errors on held-out images and the verdicts on what the paper says of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from occbench.analyse.decode import DecodeRequest, Judged, judge_decoder
from occbench.analyse.decode_errors import DecodedErrors
from occbench.analyse.decode_picture import draw_decoded
from occbench.analyse.findings import Analysis, Finding, above, save_picture, write_analysis
from occbench.analyse.intervals import Estimate, over_images
from occbench.analyse.opened_run import OpenedRun

__all__ = ["write_decode"]

_SHOWN: Final = 6
_WHERE: Final = "figure 7 and section 4.1.2"
#: Share of pseudo vectors that keep their class from which on the claim is taken to hold [inference].
_KEPT: Final = 0.95


def write_decode(
    run: OpenedRun,
    request: DecodeRequest,
    folder: Path,
    on_epoch: Callable[[int, float], None] = lambda _epoch, _loss: None,
) -> Analysis:
    """Train what is left of the decoder, judge, draw and write; return the analysis.

    Args:
        run: the trained network.
        request: what to do.
        folder: for the files; what is kept between calls lies in ``folder/decoder``.
        on_epoch: told after every epoch, as ``train_decoder``.

    Raises:
        ConfigError: the run has no pairs, or the images do not fit into memory.
    """
    judged = judge_decoder(run, request, folder / "decoder", on_epoch)
    shown = min(_SHOWN, len(judged.images))
    save_picture(
        lambda: draw_decoded(judged.images, judged.decoded.real, judged.decoded.pseudo, shown), folder / "decode.png"
    )
    made = _page(run, request, judged)
    write_analysis(made, folder)
    return made


def _page(run: OpenedRun, request: DecodeRequest, judged: Judged) -> Analysis:
    errors = judged.errors
    rule = request.rule
    named = {
        "clean image, decoded from its vector": errors.clean,
        "clean image, guessed as the mean training image": errors.clean_guess,
        "occluded image, decoded from its vector": errors.occluded,
        "occluded image, decoded from a pseudo vector": errors.pseudo,
        "occluded image, guessed as the mean training image": errors.occluded_guess,
        "occluded image, guessed as the mean under its pattern": errors.pattern_guess,
    }
    estimates = {name: over_images(values) for name, values in named.items()}
    kept = {
        "pseudo vectors that keep the clean vector's class": over_images(errors.pseudo_kept).as_share(),
        "real occluded vectors that keep the clean vector's class": over_images(errors.occluded_kept).as_share(),
    }
    rows = [[name, f"{item.value:.4f}", f"[{item.low:.4f}, {item.high:.4f}]"] for name, item in estimates.items()]
    rows += [
        [name, f"{100 * item.value:.1f} %", f"[{100 * item.low:.1f}, {100 * item.high:.1f}]"]
        for name, item in kept.items()
    ]
    training, held_out, conditions = judged.training_count, len(judged.images), judged.images.shape[1] - 1
    return Analysis(
        name="decode",
        title=f"Decoded deep feature vectors: {run.name}",
        about=[
            f"Figure 7 of Cen et al. (arXiv 2011.00768; the decoder of S.II) at {rule.size_px} px, {rule.width} "
            f"channels to begin with, {rule.epochs} epochs on {training} training images, clean and under {conditions} "
            f"patterns; judged on {held_out} test images. Pseudo vectors: the clean vector plus the difference vector "
            f"of a drawn pair under the same pattern, beta 1. Seed {rule.seed}.",
            "Errors are mean squared errors of pixels in 0..1, against the image that was really so occluded; "
            "intervals are Student's t over images at 95 %.",
        ],
        columns=("held-out images", "value", "95 % interval"),
        rows=rows,
        findings=_findings(errors),
        numbers={
            "analysis": "decode",
            "provenance": run.provenance,
            "decoder": {"size_px": rule.size_px, "width": rule.width, "epochs": rule.epochs, "seed": rule.seed},
            "training_images": training,
            "held_out_images": held_out,
            "conditions": conditions,
            "mean_squared_errors": {name: item.as_json() for name, item in estimates.items()},
            "shares": {name: item.as_json() for name, item in kept.items()},
        },
        pictures={
            "decode.png": "rows of pictures: a clean image, the same occluded, and what the decoder makes of the clean "
            "vector, the occluded one and a pseudo vector"
        },
    )


def _findings(errors: DecodedErrors) -> list[Finding]:
    behind_guess = over_images(errors.pseudo - errors.pattern_guess)
    behind_real = over_images(errors.pseudo - errors.occluded)
    kept = over_images(errors.pseudo_kept).as_share()
    return [
        Finding(
            "images decoded from pseudo vectors can be very similar to the occluded images",
            f"{_WHERE}; judged as: nearer to them than the mean training image under the same pattern",
            above(behind_guess.scaled(-1), 0.0),
            f"error minus the guess's {_error(behind_guess)}, minus that of decoded real occluded vectors "
            f"{_error(behind_real)}",
        ),
        Finding(
            "pseudo vectors keep what makes the image's class recognisable",
            f"{_WHERE}, where people judged the pictures; judged as: the run's own last layer gives the clean vector's "
            f"answer to {100 * _KEPT:g} % or more",
            above(kept, _KEPT),
            f"{100 * kept.value:.1f} % [{100 * kept.low:.1f}, {100 * kept.high:.1f}]",
        ),
    ]


def _error(estimate: Estimate) -> str:
    return f"{estimate.value:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}]"
