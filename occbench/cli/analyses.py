"""`occbench analyse`: pictures and numbers about finished runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from occbench.cli.datasets import SetOption, SourceOption
from occbench.cli.training import checkpoints, run_all, threads_of, wanted_cells

if TYPE_CHECKING:
    from occbench.analyse.findings import Analysis
    from occbench.analyse.opened_run import OpenedRun

app = typer.Typer(
    no_args_is_help=True,
    help="Look into finished runs: each verb writes a picture, its numbers (JSON, CSV) and a page that judges a claim.",
)

RunArgument = Annotated[Path, typer.Argument(help="One finished run: RUNS/<fingerprint> of `occbench run-benchmark`.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for the picture, the numbers and the page.")]
BenchmarkOption = Annotated[
    str, typer.Option("--benchmark", help="The benchmark's YAML file, where it is not packaged.")
]
RunSetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="The --set of the run that concern images and occlusions, e.g. prepare.size_px=128; how it was trained "
        "is in its manifest. Repeatable.",
    ),
]
SeedOption = Annotated[int, typer.Option(help="Names every draw; the same seed gives the same numbers.")]


@app.command()
def tsne(
    run: RunArgument,
    out: OutOption,
    classes: Annotated[str, typer.Option(help="Classes to draw, e.g. accordion,lamp; default: --class-count.")] = "",
    class_count: Annotated[int, typer.Option(help="How many classes to draw by seed.")] = 4,
    images: Annotated[int, typer.Option(help="Clean images of each class.")] = 10,
    images_from: Annotated[
        Literal["test", "train"], typer.Option("--images-from", help="Which part of the split they are drawn from.")
    ] = "test",
    group: Annotated[
        str, typer.Option(help="Condition group of the occluded twins; 20c is 20 % at the centre.")
    ] = "20c",
    beta: Annotated[float, typer.Option(help="Factor of the difference vectors in pseudo vectors.")] = 1.0,
    all_classes: Annotated[
        int, typer.Option(help="Training images of every class in the map of all classes; 0 leaves it out.")
    ] = 5,
    seed: SeedOption = 0,
    benchmark: BenchmarkOption = "",
    source: SourceOption = "",
    set_: RunSetOption = None,
) -> None:
    """Map deep feature vectors, difference vectors and pseudo vectors (figures 2, 3, S1 of Cen et al.).

    Do difference vectors cluster by occlusion pattern? Do pseudo vectors stay with their class? Both are measured in
    the network's own space; the map is for the eye. Take a run of the classical arm, as the paper did.
    """
    from occbench.analyse.tsne import EmbeddingRequest
    from occbench.analyse.tsne_report import write_tsne

    request = EmbeddingRequest(
        _names(classes), class_count, images, group, beta, images_from == "test", all_classes, seed
    )
    _tell(write_tsne(_open(run, benchmark, source, set_), request, out), out)


@app.command()
def sweep(
    benchmark: Annotated[str, typer.Argument(help="A packaged benchmark's name or a YAML file.")],
    out: OutOption,
    alpha: Annotated[str, typer.Option(help="Values of method.alpha, e.g. 0.1,0.5,0.9.")] = "",
    beta: Annotated[str, typer.Option(help="Values of method.beta, e.g. 0.5,1,2.")] = "",
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary", help="KEY=VALUE,VALUE,... of any other key of the arm, e.g. method.beta=0.5,1. Repeatable."
        ),
    ] = None,
    arm: Annotated[str, typer.Option(help="The arm that is varied; what is not varied stays as it is.")] = "C-Full",
    classical: Annotated[str, typer.Option(help="The arm that everything is compared with.")] = "C",
    along: Annotated[str, typer.Option(help="Which key is on the horizontal axis; default the last one.")] = "",
    runs: Annotated[
        Path, typer.Option("--runs", help="Folder of all runs; finished cells in it are not run again.")
    ] = Path("runs"),
    source: SourceOption = "",
    weights: Annotated[
        list[str] | None,
        typer.Option("--weights", help="NAME=FILE: start backbone NAME from a checkpoint (safetensors or .pth)."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Training seeds, e.g. 0,1; default as in the benchmark.")] = "",
    test_images: Annotated[int | None, typer.Option(help="At most so many test images, evenly spread.")] = None,
    set_: SetOption = None,
    jobs: Annotated[int, typer.Option(help="Cells that run at the same time.")] = 1,
    threads: Annotated[int | None, typer.Option(help="CPU threads of each job; default an equal share.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure a few steps and say what would be run and how long it takes.")
    ] = False,
) -> None:
    """Train and score an arm under every combination of some options (figure 6 of Cen et al.: alpha and beta).

    The combinations are ordinary cells in RUNS: a repeated command does only what is missing, and a combination that
    the benchmark's own arm has is that arm's cell. Accuracies are drawn against the classical arm's.
    """
    from occbench.analyse.sweep import read_sweep
    from occbench.analyse.sweep_arms import parse_variation, sweep_arms, with_sweep
    from occbench.analyse.sweep_picture import axis_key
    from occbench.analyse.sweep_report import write_sweep
    from occbench.bench.protocol.benchmark import load_benchmark
    from occbench.bench.running.forecast import forecast
    from occbench.bench.running.jobs import Request
    from occbench.cli.progress import decoding_lines
    from occbench.cli.terminal import show_forecast, show_plan

    short = [f"method.{name}={values}" for name, values in (("alpha", alpha), ("beta", beta)) if values]
    variations = [parse_variation(text) for text in (*short, *(vary or []))]
    loaded = load_benchmark(benchmark, (*(set_ or []), *([f"seeds=[{seeds}]"] if seeds else [])))
    arms = sweep_arms(loaded, arm, variations)
    axis = axis_key([variation.key for variation in variations], along)
    swept = with_sweep(loaded, classical, arms)
    chosen = checkpoints(weights or [], swept.backbones)
    request = Request(swept, source, test_images, runs, None, jobs, threads_of(jobs, threads), "", runs / "decoded")
    materials = request.open(decoding_lines())
    todo = wanted_cells(materials, chosen, list(swept.arms))
    show_plan(materials, todo, runs)
    if dry_run:
        show_forecast(forecast(request, materials, todo), request)
        return
    try:
        run_all(request, materials, todo)
    except KeyboardInterrupt:
        typer.secho("Stopped. What is finished is kept: the same command goes on.", err=True, fg="yellow")
        raise typer.Exit(130) from None
    found = read_sweep(materials, chosen, runs, classical, (variations, arms))
    provenance = {
        "benchmark": swept.name,
        "arm": arm,
        "classical": classical,
        "backbone": swept.backbones[0],
        "size_px": swept.prepare.size_px,
        "train": swept.train.model_dump(mode="json"),
        "runs": [cell.fingerprint for cell in todo],
    }
    _tell(write_sweep(found, provenance, axis, out), out)


@app.command()
def decode(
    run: RunArgument,
    out: OutOption,
    size: Annotated[
        int, typer.Option(help="Edge of the decoded images: 256 as in the paper, or 128, 64, 32, 16.")
    ] = 256,
    width: Annotated[int, typer.Option(help="Channels of the first stage; halved from stage to stage.")] = 1024,
    epochs: Annotated[int, typer.Option(help="Passes over all training images and patterns.")] = 20,
    group: Annotated[str, typer.Option(help="Condition group of the occluded twins; default every pattern.")] = "",
    images: Annotated[int | None, typer.Option(help="At most so many training images, evenly spread.")] = None,
    held_out: Annotated[int, typer.Option(help="At most so many test images to judge by, evenly spread.")] = 100,
    seed: SeedOption = 0,
    benchmark: BenchmarkOption = "",
    source: SourceOption = "",
    set_: RunSetOption = None,
) -> None:
    """Train a decoder from deep feature vectors to images and decode pseudo vectors (figure 7 of Cen et al.).

    A stopped training goes on where it was. The paper's size needs a GPU; --size 32 --width 256 takes minutes on a CPU.
    The errors are of held-out images, beside those of guessing a mean image.
    """
    from occbench.analyse.decode import DecodeRequest
    from occbench.analyse.decode_report import write_decode
    from occbench.analyse.decoder_training import DecoderRule

    def on_epoch(epoch: int, loss: float) -> None:
        typer.echo(f"  decoder: epoch {epoch + 1}/{epochs}, mean squared error {loss:.5f}", err=True)

    request = DecodeRequest(DecoderRule(size, width, epochs, seed), group, images, held_out)
    _tell(write_decode(_open(run, benchmark, source, set_), request, out, on_epoch), out)


@app.command()
def difficulty(
    runs: Annotated[Path, typer.Argument(help="Folder of runs, as `occbench run-benchmark --runs` wrote it.")],
    out: OutOption,
    arms: Annotated[str, typer.Option(help="Only these rows, e.g. C,C-Full; default all.")] = "",
    benchmark: Annotated[str, typer.Option(help="Where RUNS holds several benchmarks: the name of one.")] = "",
) -> None:
    """Say which occluders, positions and ratios hurt, and which classes, from predictions on disk; nothing is run.

    A drop is clean accuracy minus accuracy under occlusion; intervals are over images, whose answers hang together.
    """
    from occbench.analyse.difficulty_report import write_difficulty
    from occbench.analyse.one_table import one_table

    _tell(write_difficulty(one_table(runs, benchmark), _names(arms), out), out)


@app.command()
def agreement(
    synthetic: Annotated[Path, typer.Argument(help="Folder of runs that were scored on synthetic occlusion.")],
    real: Annotated[Path, typer.Argument(help="Folder of runs of the same arms, scored on real occlusion.")],
    out: OutOption,
    synthetic_group: Annotated[str, typer.Option(help="Condition group to rank by on the synthetic set.")] = "avg",
    real_group: Annotated[str, typer.Option(help="Condition group to rank by on the real set.")] = "avg",
    synthetic_benchmark: Annotated[str, typer.Option(help="Where SYNTHETIC holds several: the name of one.")] = "",
    real_benchmark: Annotated[str, typer.Option(help="Where REAL holds several: the name of one.")] = "",
    seed: SeedOption = 0,
) -> None:
    """Correlate the ranks of methods on synthetic and on real occlusion (Kendall, Spearman, bootstrap intervals).

    Methods are matched by the label of their row (arm, and backbone where there are several); three or more are needed.
    """
    from occbench.analyse.agreement import agreement as correlate
    from occbench.analyse.agreement_report import write_agreement
    from occbench.analyse.one_table import one_table

    left, right = one_table(synthetic, synthetic_benchmark), one_table(real, real_benchmark)
    groups = (synthetic_group, real_group)
    names = (f"{left.benchmark} {synthetic_group}", f"{right.benchmark} {real_group}")
    fingerprints = {
        name: [run.manifest["fingerprint"] for arm in table.arms for run in arm.runs]
        for name, table in (("synthetic", left), ("real", right))
    }
    found = correlate(left, right, groups, seed)
    _tell(write_agreement(found, names, fingerprints, out), out)


def _open(run: Path, benchmark: str, source: str, set_: list[str] | None) -> "OpenedRun":
    from occbench.analyse.opened_run import open_run

    return open_run(run, benchmark=benchmark, source=source, overrides=tuple(set_ or []))


def _names(option: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in option.split(",") if name.strip())


def _tell(made: "Analysis", out: Path) -> None:
    """Print the verdicts and where everything lies."""
    colours = {"holds": "green", "fails": "red", "undecided": "yellow", "not judged": "yellow"}
    typer.secho(made.title, bold=True)
    for item in made.findings:
        typer.secho(f"  {item.verdict:<10} ", fg=colours[item.verdict], nl=False)
        typer.echo(f"{item.claim}: {item.evidence}")
    files = ", ".join(sorted((f"{made.name}.json", *made.pictures)))
    typer.echo(f"{out / made.name}.md: the page. Beside it: {files}.")
