"""The page of figures 2, 3 and S1: numbers of the original space, and verdicts on what the paper sees in its maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from occbench.analyse.difference_vectors import paired_vectors
from occbench.analyse.findings import Analysis, Finding, above, save_picture, within, write_analysis
from occbench.analyse.geometry import ClusterScore, OwnClass, own_class_shares, own_pattern_share
from occbench.analyse.intervals import Estimate
from occbench.analyse.opened_run import OpenedRun
from occbench.analyse.tsne import EmbeddingRequest, chosen_classes, embed, pattern_silhouettes
from occbench.analyse.tsne_picture import draw_all_classes, draw_vectors

__all__ = ["write_tsne"]

_SHUFFLES: Final = 200
_SHUFFLES_OF_ALL: Final = 20
#: A class is "easily separated" from here on [inference]; the paper gives no number.
_SEPARATED: Final = 0.95
#: Shares of vectors nearest their own class that differ by less are alike [inference].
_ALIKE: Final = 0.05


@dataclass(frozen=True, eq=False)
class _Measured:
    """What was measured in the original space.

    Attributes:
        classes: names of the classes drawn.
        patterns: names of their occluders.
        by_pattern: silhouette of difference vectors by pattern.
        by_class: the same by class.
        every: of all classes: silhouette by pattern, and the share of difference vectors nearest their own pattern's
            centroid; None where that map was left out.
        class_count: how many classes there are.
        shares: nearest-centroid shares.
    """

    classes: Sequence[str]
    patterns: Sequence[str]
    by_pattern: ClusterScore
    by_class: ClusterScore
    every: tuple[ClusterScore, Estimate] | None
    class_count: int
    shares: OwnClass


def write_tsne(run: OpenedRun, request: EmbeddingRequest, folder: Path) -> Analysis:
    """Compute, draw and write the analysis; return it.

    Raises:
        ConfigError: classes, images or a group that the run does not have.
    """
    names = tuple(run.materials.split.classes)
    conditions = run.conditions(request.group)
    labels = chosen_classes(request, names, run.image_counts(held_out=request.held_out))
    images = run.draw(labels, request.images, request.seed, held_out=request.held_out)
    paired = paired_vectors(run, images, conditions)
    shares = own_class_shares(paired, request.beta)
    few = pattern_silhouettes(paired, request.seed, _SHUFFLES)
    shown = [names[label] for label in labels]
    patterns = [str(item.parameters.get("occluder", item.name)) for item in conditions]
    save_picture(lambda: draw_vectors(paired, shown, patterns, request.beta, request.seed, embed), folder / "tsne.png")
    every = None
    if request.all_classes:
        drawn = run.draw(range(len(names)), request.all_classes, request.seed, held_out=False)
        whole = paired_vectors(run, drawn, conditions)
        every = (pattern_silhouettes(whole, request.seed, _SHUFFLES_OF_ALL)[0], own_pattern_share(whole))
        save_picture(lambda: draw_all_classes(whole, patterns, request.seed, embed), folder / "tsne-all.png")
    made = _page(run, request, _Measured(shown, patterns, *few, every, len(names), shares))
    write_analysis(made, folder)
    return made


def _page(run: OpenedRun, request: EmbeddingRequest, measured: _Measured) -> Analysis:
    """Return the analysis: table, verdicts and numbers."""
    by_pattern, by_class, every, shares = measured.by_pattern, measured.by_class, measured.every, measured.shares
    rows = [
        ["difference vectors by pattern", f"{by_pattern.value:.3f}", f"chance {by_pattern.chance:.3f}"],
        ["difference vectors by class", f"{by_class.value:.3f}", f"chance {by_class.chance:.3f}"],
    ]
    if every is not None:
        silhouette, own_pattern = every
        rows.append(
            [
                "difference vectors by pattern, all classes",
                f"{silhouette.value:.3f}",
                f"chance {silhouette.chance:.3f}",
            ]
        )
    named = {
        "clean vectors nearest their class's clean centroid": shares.clean,
        "real occluded vectors nearest their class's clean centroid": shares.occluded,
        "pseudo vectors nearest their class's clean centroid": shares.pseudo,
        "pseudo minus real occluded": shares.pseudo_minus_occluded,
        "real occluded vectors nearest their class's occluded centroid": shares.occluded_to_occluded,
        "pseudo vectors nearest their class's occluded centroid": shares.pseudo_to_occluded,
    }
    if every is not None:
        named["difference vectors nearest their pattern's centroid, all classes"] = own_pattern
    for name, share in named.items():
        percent = share.scaled(100)
        rows.append([name, f"{percent.value:.1f} %", f"[{percent.low:.1f}, {percent.high:.1f}]"])
    return Analysis(
        name="tsne",
        title=f"Deep feature vectors under occlusion: {run.name}",
        about=_about(request, measured),
        columns=("measured in the original space", "value", "95 % interval or chance"),
        rows=rows,
        findings=_findings(measured),
        numbers=_numbers(run, request, measured, named),
        pictures=_pictures(request, measured),
    )


def _about(request: EmbeddingRequest, measured: _Measured) -> list[str]:
    shown, patterns = measured.classes, measured.patterns
    kind = "test" if request.held_out else "training"
    images = len(shown) * request.images
    pseudo = (images - 1) * len(patterns)
    return [
        f"Figures 2, 3 and S1 of Cen et al. (arXiv 2011.00768): {request.images} {kind} images each of "
        f"{', '.join(shown)}, clean and under the {len(patterns)} patterns of group `{request.group}` "
        f"({', '.join(patterns)}). Every image's vector is given {pseudo} pseudo vectors: itself plus "
        f"{request.beta:g} times each difference vector of the other images. Seed {request.seed}.",
        "The silhouette is the mean over difference vectors, Euclidean; chance is the 95th percentile under shuffled "
        "labels. Shares: the nearest of the class centroids, taken without the image itself; each image counts alike, "
        "and the interval is Student's t over images. The maps are for the eye only.",
    ]


def _findings(measured: _Measured) -> list[Finding]:
    by_pattern, by_class, every, shares = measured.by_pattern, measured.by_class, measured.every, measured.shares
    clustered = by_pattern.value > max(by_pattern.chance, by_class.value)
    found = [
        Finding(
            "difference vectors of one pattern lie close to each other, whatever the image's class",
            "figure 2",
            "holds" if clustered else "fails",
            f"silhouette {by_pattern.value:.3f} by pattern (chance {by_pattern.chance:.3f}), {by_class.value:.3f} by "
            "class",
        )
    ]
    if every is not None:
        silhouette, own_pattern = every
        percent = own_pattern.scaled(100)
        found.append(
            Finding(
                "over all classes, difference vectors of one pattern are easily separated from those of the others",
                "figure S1",
                above(own_pattern, _SEPARATED),
                f"{percent.value:.1f} % [{percent.low:.1f}, {percent.high:.1f}] are nearest their own pattern's "
                f"centroid, silhouette {silhouette.value:.3f} (chance {silhouette.chance:.3f}); our bound for easily "
                f"is {100 * _SEPARATED:g} %",
            )
        )
    pseudo = shares.pseudo.scaled(100)
    margin = shares.pseudo_minus_occluded.scaled(100)
    found.append(
        Finding(
            "pseudo vectors fall into the subspace of their image's class, easily separated from other classes",
            "figure 3",
            above(shares.pseudo, _SEPARATED),
            f"{pseudo.value:.1f} % [{pseudo.low:.1f}, {pseudo.high:.1f}] are nearest their own class; our bound for "
            f"easily is {100 * _SEPARATED:g} %",
        )
    )
    found.append(
        Finding(
            "the space of pseudo vectors highly overlaps with that of real occluded vectors of the same class",
            "figure 3, third observation; judged as: nearest their own class equally often, within "
            f"{100 * _ALIKE:g} points",
            within([shares.pseudo_minus_occluded], _ALIKE),
            f"pseudo minus real occluded {margin.value:+.1f} points [{margin.low:.1f}, {margin.high:.1f}]",
        )
    )
    return found


def _numbers(
    run: OpenedRun, request: EmbeddingRequest, measured: _Measured, named: dict[str, Estimate]
) -> dict[str, Any]:
    scores = (measured.by_pattern, measured.by_class, None if measured.every is None else measured.every[0])
    names = ("by pattern", "by class", "by pattern, all classes")
    return {
        "analysis": "tsne",
        "provenance": run.provenance,
        "classes": list(measured.classes),
        "patterns": list(measured.patterns),
        "images_per_class": request.images,
        "images": "test" if request.held_out else "training",
        "images_per_class_of_all": request.all_classes,
        "group": request.group,
        "beta": request.beta,
        "seed": request.seed,
        "silhouette_of_difference_vectors": {
            name: {"value": score.value, "chance": score.chance, "by_cluster": list(score.by_cluster)}
            for name, score in zip(names, scores, strict=True)
            if score is not None
        },
        "shares": {name: share.as_json() for name, share in named.items()},
    }


def _pictures(request: EmbeddingRequest, measured: _Measured) -> dict[str, str]:
    two = (
        f"two t-SNE maps of {request.images} images each of {', '.join(measured.classes)}: left, vectors of clean and "
        f"occluded images and their difference vectors under {len(measured.patterns)} patterns; right, with pseudo "
        "vectors"
    )
    if measured.every is None:
        return {"tsne.png": two}
    whole = (
        f"t-SNE map of clean vectors and difference vectors of all {measured.class_count} classes, coloured by pattern"
    )
    return {"tsne.png": two, "tsne-all.png": whole}
