"""`occbench analyse`: pictures and numbers about finished runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from occbench.cli.cells import run_arms
from occbench.cli.engine import Engine
from occbench.cli.options import BenchmarkArgument, BenchmarkOption, OutOption, RunsArgument, SourceOption, names
from occbench.cli.run_options import RunOptions
from occbench.cli.verb import as_verb

if TYPE_CHECKING:
    from occbench.analyse.findings import Analysis
    from occbench.analyse.opened_run import OpenedRun
    from occbench.bench.tables.comparable import Comparable

SeedOption = Annotated[int, typer.Option("--seed", help="Names every draw; the same seed gives the same numbers.")]


@dataclass(frozen=True)
class TrainedRun:
    """The argument and options that open a run's network and images again."""

    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="One finished run: RUNS/<fingerprint> of `occbench run-benchmark`.")
    ]
    benchmark: BenchmarkOption = ""
    source: SourceOption = ""
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="As the run had it where that concerns images and occlusions, e.g. prepare.size_px=128; how it was "
            "trained is in its manifest. Repeatable.",
        ),
    ] = None

    def open(self) -> "OpenedRun":
        """Open the run."""
        from occbench.analyse.opened_run import open_run

        changes = tuple(self.set_ or [])
        return open_run(self.run, benchmark=self.benchmark, source=self.source, overrides=changes)


def tsne(
    out: OutOption,
    trained: TrainedRun,
    classes: Annotated[
        str, typer.Option(help="Classes to draw, e.g. accordion,lamp.", show_default="some, by seed")
    ] = "",
    class_count: Annotated[int, typer.Option(help="How many classes to draw by seed, without --classes.")] = 4,
    images_per_class: Annotated[int, typer.Option(help="Clean images of each class.")] = 10,
    images_from: Annotated[
        Literal["test", "train"], typer.Option(help="Which part of the split they are drawn from.")
    ] = "test",
    group: Annotated[
        str, typer.Option(help="Condition group of the occluded twins; 20c is 20 % at the centre.")
    ] = "20c",
    beta: Annotated[float, typer.Option(help="Factor of the difference vectors in pseudo vectors.")] = 1.0,
    all_classes_images: Annotated[
        int, typer.Option(help="Training images of each class in a second map, of all classes; 0 leaves that map out.")
    ] = 5,
    seed: SeedOption = 0,
) -> None:
    """Map deep feature vectors, difference vectors and pseudo vectors (figures 2, 3, S1 of Cen et al.).

    Do difference vectors cluster by occlusion pattern? Do pseudo vectors stay with their class? Both are measured in
    the network's own space; the map is for the eye. Take a run of the classical arm, as the paper did.
    """
    from occbench.analyse.tsne import EmbeddingRequest
    from occbench.analyse.tsne_report import write_tsne

    request = EmbeddingRequest(
        tuple(names(classes)),
        class_count,
        images_per_class,
        group,
        beta,
        images_from == "test",
        all_classes_images,
        seed,
    )
    _tell(write_tsne(trained.open(), request, out), out)


def sweep(
    benchmark: BenchmarkArgument,
    out: OutOption,
    options: RunOptions,
    where: Engine,
    alpha: Annotated[
        str, typer.Option(help="Values of method.alpha, e.g. 0.1,0.5,0.9.", show_default="the arm's")
    ] = "",
    beta: Annotated[str, typer.Option(help="Values of method.beta, e.g. 0.5,1,2.", show_default="the arm's")] = "",
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE,...", help="Values of any other key of the arm, e.g. method.beta=0.5,1. Repeatable."
        ),
    ] = None,
    arm: Annotated[str, typer.Option(help="The arm that is varied; what is not varied stays as it is.")] = "C-Full",
    classical: Annotated[str, typer.Option(help="The arm that everything is compared with.")] = "C",
    along: Annotated[str, typer.Option(help="Which key is on the horizontal axis.", show_default="the last one")] = "",
) -> None:
    """Train and score an arm under every combination of some options (figure 6 of Cen et al.: alpha and beta).

    The combinations are ordinary cells in RUNS: a repeated command does only what is missing, and a combination that
    the benchmark's own arm has is that arm's cell. Accuracies are drawn against the classical arm's.
    """
    from occbench.analyse.sweep import read_sweep
    from occbench.analyse.sweep_arms import parse_variation, sweep_arms, with_sweep
    from occbench.analyse.sweep_picture import axis_key
    from occbench.analyse.sweep_report import write_sweep

    short = [f"method.{name}={values}" for name, values in (("alpha", alpha), ("beta", beta)) if values]
    variations = [parse_variation(text) for text in (*short, *(vary or []))]
    loaded = options.load(benchmark)
    arms = sweep_arms(loaded, arm, variations)
    axis = axis_key([variation.key for variation in variations], along)
    swept = with_sweep(loaded, classical, arms)
    finished = run_arms(swept, list(swept.arms), options, where)
    if finished is None:
        return
    found = read_sweep(finished.materials, finished.weights, options.runs, classical, (variations, arms))
    provenance = {
        "benchmark": swept.name,
        "arm": arm,
        "classical": classical,
        "backbone": swept.backbones[0],
        "size_px": swept.prepare.size_px,
        "train": swept.train.model_dump(mode="json"),
        "runs": [cell.fingerprint for cell in finished.cells],
    }
    _tell(write_sweep(found, provenance, axis, out), out)


def decode(
    out: OutOption,
    trained: TrainedRun,
    size_px: Annotated[
        int, typer.Option(help="Edge of the decoded images: 256 as in the paper, or 128, 64, 32, 16.")
    ] = 256,
    width: Annotated[int, typer.Option(help="Channels of the first stage; halved from stage to stage.")] = 1024,
    epochs: Annotated[int, typer.Option(help="Passes over all training images and patterns.")] = 20,
    group: Annotated[
        str, typer.Option(help="Condition group of the occluded twins.", show_default="every pattern")
    ] = "",
    train_images: Annotated[
        int | None, typer.Option(help="At most so many training images, evenly spread.", show_default="all")
    ] = None,
    test_images: Annotated[int, typer.Option(help="At most so many test images to judge by, evenly spread.")] = 100,
    seed: SeedOption = 0,
) -> None:
    """Train a decoder from deep feature vectors to images and decode pseudo vectors (figure 7 of Cen et al.).

    A stopped training goes on where it was. The paper's size needs a GPU; --size-px 32 --width 256 takes minutes on a
    CPU. The errors are of held-out images, beside those of guessing a mean image.
    """
    from occbench.analyse.decode import DecodeRequest
    from occbench.analyse.decode_report import write_decode
    from occbench.analyse.decoder_training import DecoderRule

    def on_epoch(epoch: int, loss: float) -> None:
        typer.echo(f"  decoder: epoch {epoch + 1}/{epochs}, mean squared error {loss:.5f}", err=True)

    request = DecodeRequest(DecoderRule(size_px, width, epochs, seed), group, train_images, test_images)
    _tell(write_decode(trained.open(), request, out, on_epoch), out)


def difficulty(
    runs: RunsArgument,
    out: OutOption,
    arms: Annotated[str, typer.Option(help="Only these rows, e.g. C,C-Full.", show_default="all")] = "",
    benchmark: BenchmarkOption = "",
) -> None:
    """Say which occluders, positions and ratios hurt, and which classes, from predictions on disk; nothing is run.

    A drop is clean accuracy minus accuracy under occlusion; intervals are over images, whose answers hang together.
    """
    from occbench.analyse.difficulty_report import write_difficulty

    _tell(write_difficulty(_table(runs, benchmark), tuple(names(arms)), out), out)


def agreement(
    synthetic: Annotated[
        Path, typer.Argument(metavar="SYNTHETIC", help="Folder of runs that were scored on synthetic occlusion.")
    ],
    real: Annotated[
        Path, typer.Argument(metavar="REAL", help="Folder of runs of the same arms, scored on real occlusion.")
    ],
    out: OutOption,
    synthetic_group: Annotated[str, typer.Option(help="Condition group to rank by on the synthetic set.")] = "avg",
    real_group: Annotated[str, typer.Option(help="Condition group to rank by on the real set.")] = "avg",
    synthetic_benchmark: Annotated[
        str,
        typer.Option(
            help="As --benchmark of the other verbs, for SYNTHETIC.", show_default="the one that the runs name"
        ),
    ] = "",
    real_benchmark: Annotated[
        str,
        typer.Option(help="As --benchmark of the other verbs, for REAL.", show_default="the one that the runs name"),
    ] = "",
    seed: SeedOption = 0,
) -> None:
    """Correlate the ranks of methods on synthetic and on real occlusion (Kendall, Spearman, bootstrap intervals).

    Methods are matched by the label of their row (arm, and backbone where there are several); three or more are needed.
    """
    from occbench.analyse.agreement import agreement as correlate
    from occbench.analyse.agreement_report import write_agreement

    left, right = _table(synthetic, synthetic_benchmark), _table(real, real_benchmark)
    groups = (synthetic_group, real_group)
    titles = (f"{left.benchmark} {synthetic_group}", f"{right.benchmark} {real_group}")
    fingerprints = {
        name: [run.manifest["fingerprint"] for arm in table.arms for run in arm.runs]
        for name, table in (("synthetic", left), ("real", right))
    }
    found = correlate(left, right, groups, seed)
    _tell(write_agreement(found, titles, fingerprints, out), out)


def _table(runs: Path, benchmark: str) -> "Comparable":
    """Return the only table of a folder of runs, or the one of a benchmark, which is a name or a YAML file."""
    from occbench.analyse.one_table import one_table
    from occbench.bench.protocol.benchmark import load_benchmark

    return one_table(runs, load_benchmark(benchmark).name if Path(benchmark).is_file() else benchmark)


def _tell(made: "Analysis", out: Path) -> None:
    """Print the verdicts and where everything lies."""
    colours = {"holds": "green", "fails": "red", "undecided": "yellow", "not judged": "yellow"}
    typer.secho(made.title, bold=True)
    for item in made.findings:
        typer.secho(f"  {item.verdict:<10} ", fg=colours[item.verdict], nl=False)
        typer.echo(f"{item.claim}: {item.evidence}")
    files = ", ".join(sorted((f"{made.name}.json", *made.pictures)))
    typer.echo(f"{out / made.name}.md: the page. Beside it: {files}.")


app = typer.Typer(
    no_args_is_help=True,
    help="Look into finished runs: each verb writes a picture, its numbers (JSON, CSV) and a page that judges a claim.",
)
app.command()(as_verb(tsne))
app.command()(as_verb(sweep, goes_on=True))
app.command()(as_verb(decode, goes_on=True))
app.command()(as_verb(difficulty))
app.command()(as_verb(agreement))
