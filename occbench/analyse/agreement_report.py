"""The page of two rankings."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from occbench.analyse.agreement import Agreement
from occbench.analyse.agreement_picture import draw_agreement
from occbench.analyse.findings import Analysis, Finding, Verdict, save_picture, write_analysis

__all__ = ["write_agreement"]


def write_agreement(
    found: Agreement, names: tuple[str, str], runs: Mapping[str, Sequence[str]], folder: Path
) -> Analysis:
    """Draw and write the analysis; return it.

    Args:
        found: the correlations.
        names: benchmark and condition group of the synthetic and of the real set.
        runs: ``synthetic`` and ``real`` -> fingerprints of the runs.
        folder: for the files.
    """
    save_picture(lambda: draw_agreement(found, names), folder / "agreement.png")
    kendall, spearman = found.kendall, found.spearman
    verdict: Verdict = "holds" if kendall.low > 0 else ("fails" if kendall.high < 0 else "undecided")
    evidence = (
        f"Kendall {kendall.value:.2f} [{kendall.low:.2f}, {kendall.high:.2f}], Spearman {spearman.value:.2f} "
        f"[{spearman.low:.2f}, {spearman.high:.2f}] over {len(found.methods)} methods; {100 * found.chance:.1f} % of "
        "their orders agree as well by chance"
    )
    analysis = Analysis(
        name="agreement",
        title=f"Ranks of methods: {names[0]} against {names[1]}",
        about=[
            f"Top-1 accuracy on {names[0]}, given as the synthetic set, and on {names[1]}, given as the real one; mean "
            "over seeds, in percent. Intervals at 95 % are of the bootstrap over the test images of both sets.",
        ],
        columns=("method", names[0], names[1]),
        rows=[
            [method, f"{a:.2f} [{low_a:.2f}, {high_a:.2f}]", f"{b:.2f} [{low_b:.2f}, {high_b:.2f}]"]
            for method, a, b, (low_a, high_a, low_b, high_b) in zip(
                found.methods, found.synthetic, found.real, found.intervals, strict=True
            )
        ],
        findings=[
            Finding("methods rank on the real set as they do on the synthetic one", "ours", verdict, evidence),
        ],
        numbers={
            "analysis": "agreement",
            "sets": {"synthetic": names[0], "real": names[1]},
            "runs": {name: list(listed) for name, listed in runs.items()},
            "methods": {
                method: {"synthetic": round(float(a), 4), "real": round(float(b), 4)}
                for method, a, b in zip(found.methods, found.synthetic, found.real, strict=True)
            },
            "kendall": [kendall.value, kendall.low, kendall.high],
            "spearman": [spearman.value, spearman.low, spearman.high],
            "orders_as_good_by_chance": found.chance,
        },
        pictures={"agreement.png": f"accuracy of {len(found.methods)} methods on {names[0]} against {names[1]}"},
    )
    write_analysis(analysis, folder)
    return analysis
