"""The options `--engine` and `--address`, and the page that shows how to use them."""

import re
import shlex
from pathlib import Path

import typer
import yaml

from occbench.cli import app
from occbench.cli.engine import Engine
from occbench.data.recipe import load_recipe, recipe_names
from occbench.engine.local import LocalExecutor

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "scale.md"


def commands():
    """Return every `occbench` command line of the page, continued lines joined."""
    text = PAGE.read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ").splitlines()
    job = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    lines = [line.replace("$SLURM_CPUS_PER_TASK", "8") for line in (*lines, job["spec"]["entrypoint"])]
    return [
        match[2].partition("#")[0] for line in lines if (match := re.match(r"(.* -m )?(occbench .*)", line.strip()))
    ]


def test_the_page_has_no_option_that_there_is_not():
    found = commands()
    assert len(found) >= 8
    for line in found:
        _, verb, *arguments = shlex.split(line)
        command = typer.main.get_command(app).commands[verb]
        with command.make_context(f"{line}: {verb}", [*arguments]):  # an option that there is not raises here
            pass
        if verb == "generate":
            assert arguments[0] in recipe_names(), line


def test_the_cluster_of_the_page_is_one_that_kubernetes_would_read():
    job = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1])
    cluster = job["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    assert workers["template"] == cluster["headGroupSpec"]["template"], "the same image everywhere"
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]


def test_work_stays_here_unless_a_cluster_is_asked_for():
    recipe = load_recipe("quickstart")
    assert Engine().for_recipe(recipe, 3) == LocalExecutor(3)
    assert Engine().for_recipe(recipe).workers >= 1
    assert not Engine().is_cluster


def test_one_cell_on_several_processes_and_a_cluster_exclude_each_other(monkeypatch, occbench_cli, tmp_path):
    monkeypatch.setattr("occbench.bench.batches.ranks.join_ranks", lambda: (0, 2))
    code, _, err = occbench_cli("run-benchmark", "quickstart", "--runs", tmp_path / "runs", "--engine", "ray")
    assert code == 2
    assert "`accelerate launch` one cell 2 processes: use one of them." in err
