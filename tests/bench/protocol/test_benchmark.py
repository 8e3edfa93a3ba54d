"""Every packaged benchmark is read, built and in keeping with its reference; what is wrong is said in one line."""

from itertools import product
from pathlib import Path

import pytest
import yaml

from occbench.bench.protocol.benchmark import benchmark_names, load_benchmark
from occbench.bench.protocol.reference import claims_for, reference_table, row_beside, same_backbone
from occbench.core.build import build_plugin
from occbench.core.errors import ConfigError
from occbench.core.interfaces import Source
from occbench.methods.dfv import DeepFeatureAugmentation
from occbench.models.load import find_architecture

ROOT = Path(__file__).resolve().parents[3]
NAMES = benchmark_names()
#: benchmark -> (conditions of the test, conditions of the pairs).
PATTERNS = {
    "ar-faces": (6, 6),
    "caltech101-exclusive": (24, 24),
    "caltech101-inclusive": (24, 24),
    "caltech101-learn": (24, 28),
    "coco-sample-levels": (12, 12),
    "coco-vehicles": (1, 12),
    "cub200": (24, 24),
    "dfeat-patchdrop": (4, 4),
    "dfeat-real": (1, 1),
    "dfeat-toy": (4, 24),
    "ilsvrc-crosspattern": (160, 80),
    "ilsvrc-exclusive": (240, 240),
    "ilsvrc-inclusive": (240, 240),
    "ilsvrc-vgg16": (240, 240),
    "oxford102": (24, 24),
    "pascal3d-levels": (12, 12),
    "quickstart": (24, 24),
    "toyparts-levels": (12, 12),
    "coco-sample-multilabel": (2, 2),
    "coco14-msl": (2, 3),
    "coco14-msl-vit": (2, 2),
    "toyparts-multilabel": (2, 3),
    "voc07-msl": (2, 3),
    "voc07-msl-vit": (2, 2),
    "wider-msl": (2, 2),
}


@pytest.fixture(params=NAMES)
def benchmark(request):
    return load_benchmark(request.param)


def test_every_benchmark_is_listed_here():
    assert sorted(PATTERNS) == NAMES


def test_names_match_files(benchmark):
    assert load_benchmark(benchmark.name) == benchmark
    assert benchmark.description.endswith(".")


def test_every_arm_is_built_and_its_pair_groups_exist(benchmark):
    groups = {condition.group for condition in benchmark.pair_recipe().conditions()}
    for name, arm in benchmark.arms.items():
        method = arm.build()
        assert set(arm.pair_groups) <= groups
        if not benchmark.arms.keys() & {"C", "C-Full"}:
            continue
        # the name says what the arm is: F adds occluded images, -Full and so on take difference vectors
        assert arm.add_occluded == name.startswith("F")
        assert isinstance(method, DeepFeatureAugmentation) == ("-" in name)
        if isinstance(method, DeepFeatureAugmentation):
            assert (method.alpha, method.beta) == (0.9, 1.0)
            assert bool(arm.pair_groups) == (not name.endswith("-Full"))


def test_occlusions_are_as_many_as_the_protocol_says(benchmark):
    counts = len(benchmark.test_recipe().conditions()), len(benchmark.pair_recipe().conditions())
    assert counts == PATTERNS[benchmark.name]


def test_cross_pattern_occluders_are_disjoint():
    benchmark = load_benchmark("ilsvrc-crosspattern")
    seen, unseen = (
        {condition.parameters["occluder"] for condition in recipe.conditions()}
        for recipe in (benchmark.pair_recipe(), benchmark.test_recipe())
    )
    assert (len(seen), len(unseen)) == (10, 20)
    assert not seen & unseen


def test_sources_and_backbones_are_known(benchmark):
    for spec in (benchmark.source, benchmark.split.test_source):
        if spec is not None:
            built = build_plugin(spec.name, "sources", Source, {"path": "somewhere", **spec.options})
            assert isinstance(built, Source)
    for name in benchmark.backbones:
        assert find_architecture(name).name == name


@pytest.mark.parametrize("name", [name for name in NAMES if load_benchmark(name).reference_table])
def test_the_reference_speaks_of_the_arms_of_the_benchmark(name):
    benchmark = load_benchmark(name)
    rows = [row for row in reference_table(benchmark.reference_table) if not row.is_quoted]
    papers = {row.backbone for row in rows}
    if name == "pascal3d-levels":  # the paper has no table; its text says two numbers, of one network
        assert [(row.arm, row.backbone) for row in rows] == [("frozen", "VGG16"), ("learn", "VGG16")]
        return
    assert sorted((row.arm, row.backbone) for row in rows) == sorted(product(benchmark.arms, papers))
    if name == "ar-faces":  # the paper's network is in no library
        assert papers == {"LResNet50E-IR"}
        return
    assert len(papers) == len(benchmark.backbones)
    for arm, backbone in product(benchmark.arms, benchmark.backbones):
        row = row_beside(rows, arm, backbone)
        assert row.arm == arm
        assert same_backbone(row.backbone, backbone)


def test_the_claims_speak_of_the_arms_of_the_benchmark(benchmark):
    spoken_of = {arm for item in claims_for(benchmark.name) if item.claim for arm, _ in item.claim.terms}
    assert spoken_of <= set(benchmark.arms)
    assert bool(spoken_of) == bool(benchmark.reference_table)


def test_every_inference_of_a_published_protocol_is_marked(benchmark):
    text = (ROOT / "benchmarks" / f"{benchmark.name}.yaml").read_text()
    assert text.startswith("# ")
    assert ("[inference]" in text) == bool(benchmark.reference_table or claims_for(benchmark.name))


def test_overrides_reach_a_key():
    benchmark = load_benchmark("quickstart", ("train.epochs=2", "arms.C-Full.method.beta=0.5"))
    assert benchmark.train.epochs == 2
    assert benchmark.arms["C-Full"].method.options["beta"] == 0.5


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"split": {"train_per_class": "all"}}, "leaves nothing to test on"),
        ({"split": {"train_per_class": 0}}, "split.train_per_class"),
        ({"claims": ["avg(D) > avg(C)"]}, "speaks of arm D"),
        ({"claims": ["avg(C >"]}, "claim"),
        ({"arms": {}}, "arms"),
        ({"colour": "red"}, "colour: there is no such key"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, change, complaint):
    file = tmp_path / "mine.yaml"
    content = yaml.safe_load((ROOT / "benchmarks" / "quickstart.yaml").read_text())
    file.write_text(yaml.safe_dump({**content, **change}))
    with pytest.raises(ConfigError, match=complaint) as caught:
        load_benchmark(str(file))
    assert "\n" not in str(caught.value)


def test_an_unknown_benchmark_is_answered_with_those_there_are():
    with pytest.raises(ConfigError, match="caltech101-exclusive"):
        load_benchmark("caltech")
