"""`ar-faces`, the protocol over real occluded pairs, on drawn stand-ins: the photographs may not be passed on."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from occbench.bench.images.materials import load_materials
from occbench.bench.protocol.benchmark import load_benchmark
from occbench.bench.scoring.test_set import test_set as build_test_set
from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.seeding import stream
from occbench.sources.ar_faces import PICTURES

MEN, WOMEN = 5, 3
SMALL = (
    "backbones=[tiny]", "pretrained=false", "seeds=[0]", "split.pair_classes=4", "prepare.size_px=32",
    "train.epochs=1", "train.batch_size=16",
)  # fmt: skip


def draw_face(path, person, picture):
    """A face whose colour and shape are the person's; what is worn is the same on everybody."""
    draws = stream(person, "face")
    skin = tuple(int(value) for value in draws.integers(150, 3) + 80)
    width = 10 + draws.integer(0, 8)
    image = Image.new("RGB", (48, 56), (30, 30, 40))
    canvas = ImageDraw.Draw(image)
    shift = stream(person, picture, "pose").integer(0, 4)
    canvas.rectangle((0, 0, 8, 8), fill=(9 * picture, 0, 0))  # no two pictures are equal
    canvas.ellipse((24 - width + shift, 6, 24 + width + shift, 52), fill=skin)
    shown = next(name for name, numbers in PICTURES.items() if picture in numbers)
    if shown.startswith("sunglasses"):
        canvas.rectangle((8, 18, 42, 26), fill=(5, 5, 5))
    if shown.startswith("scarf"):
        canvas.rectangle((4, 34, 46, 55), fill=(200, 30, 30))
    image.save(path)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Every picture of eight people, named as the database names them."""
    folder = tmp_path_factory.mktemp("ar")
    people = [f"m-{number:03d}" for number in range(1, MEN + 1)] + [f"w-{number:03d}" for number in range(1, WOMEN + 1)]
    for number, person in enumerate(people):
        for picture in range(1, 27):
            draw_face(folder / f"{person}-{picture:02d}.bmp", number, picture)
    return folder


@pytest.fixture(scope="module")
def materials(faces):
    benchmark = load_benchmark("ar-faces", SMALL)
    return load_materials(benchmark, benchmark.source_at(str(faces)))


def person_of(key):
    return key[:5]


def picture_of(key):
    return int(key[6:8])


def test_plain_pictures_of_session_1_are_trained_on(materials):
    assert len(materials.train) == 7 * (MEN + WOMEN)
    assert {picture_of(key) for key in materials.train.keys} == set(range(1, 8))
    assert len(materials.validation) == 0


def test_pairs_are_those_of_as_many_men_as_women(materials):
    people = {person_of(key) for key in materials.pairs.keys}
    assert sorted(person[0] for person in people) == ["m", "m", "w", "w"]
    assert len(materials.pairs) == 4 * 7
    conditions = materials.pair_conditions(materials.benchmark.arms["C-Full"])
    assert len(materials.pairs) * len(conditions) == 4 * 7 * 6
    assert set(materials.pairs.keys) <= set(materials.train.keys)


def test_a_pair_is_a_photograph_of_the_same_person_in_the_same_session(materials, faces):
    numbers = {"sunglasses": (8, 9, 10), "scarf": (11, 12, 13)}
    for example in (materials.pairs.examples[0], materials.pairs.examples[-1]):
        for condition in materials.pair_renderer.conditions:
            worn, light = condition.name.split("-")
            picture = numbers[worn][("even", "left", "right").index(light)]
            photograph = Image.open(faces / f"{person_of(example.key)}-{picture:02d}.bmp").convert("RGB")
            expected = np.asarray(photograph.resize((32, 32), Image.Resampling.BILINEAR))
            assert np.array_equal(materials.pair_renderer.render(example, condition)[0], expected)


def test_the_test_cells_are_what_nobody_trained_on(materials):
    """Session 1 of those without pairs, session 2 of all: 1,140 cells where there are 100 people and ten are paired."""
    paired = {person_of(key) for key in materials.pairs.keys}
    rows = [(person_of(key), picture_of(key)) for key in materials.test.keys]
    assert sorted(person for person, picture in rows if picture == 14) == sorted({person for person, _ in rows})
    assert {person for person, picture in rows if picture == 1} == {person for person, _ in rows} - paired
    assert len(rows) == 4 + 8
    assert [condition.name for condition in materials.test_conditions] == [
        "sunglasses-even", "sunglasses-left", "sunglasses-right", "scarf-even", "scarf-left", "scarf-right",
    ]  # fmt: skip
    test = build_test_set(materials)
    assert test.occluded == test.conditions == materials.test_conditions


def test_session_2_is_tested_with_its_own_photographs(materials, faces):
    row = next(row for row, key in enumerate(materials.test.keys) if picture_of(key) == 14)
    example = materials.test.examples[row]
    even = materials.renderer.condition("scarf-even")
    photograph = Image.open(faces / f"{person_of(example.key)}-24.bmp").convert("RGB")
    expected = np.asarray(photograph.resize((32, 32), Image.Resampling.BILINEAR))
    assert np.array_equal(materials.renderer.render(example, even)[0], expected)


def test_arm_f_trains_on_every_occluded_photograph_once(materials):
    images = materials.training_images(materials.benchmark.arms["F"])
    added = images.images[len(materials.train) :]
    assert len(added) == 4 * 6, "six photographs of each paired person, whatever the number of plain ones"
    assert len({image.numpy().tobytes() for image in added}) == len(added)
    labels = images.labels[len(materials.train) :].tolist()
    assert all(labels.count(label) == 6 for label in set(labels))


def test_kinds_that_are_too_few_or_do_not_divide_are_one_clear_line(faces):
    benchmark = load_benchmark("ar-faces", (*SMALL, "split.pair_classes=8"))
    with pytest.raises(ConfigError, match="asks for 4 pair_classes whose names begin with w-, the source has 3"):
        load_materials(benchmark, benchmark.source_at(str(faces)))
    with pytest.raises(ConfigError, match="cannot be drawn in equal parts from the 2 kinds"):
        load_benchmark("ar-faces", (*SMALL, "split.pair_classes=5"))


def test_a_missing_photograph_is_named(faces, tmp_path):
    import shutil

    folder = shutil.copytree(faces, tmp_path / "ar")
    (folder / "m-001-24.bmp").unlink()
    benchmark = load_benchmark("ar-faces", SMALL)
    materials = load_materials(benchmark, benchmark.source_at(str(folder)))
    row = materials.test.keys.index("m-001-14")
    with pytest.raises(BrokenImageError, match="m-001-14 has no photograph scarf-even; the source has sunglasses-even"):
        materials.renderer.render(materials.test.examples[row], materials.renderer.condition("scarf-even"))


def test_the_command_runs_to_a_report_with_the_papers_columns(occbench_cli, faces, tmp_path):
    runs, sets = tmp_path / "runs", [part for change in SMALL for part in ("--set", change)]
    code, out, err = occbench_cli("run-benchmark", "ar-faces", "--source", faces, "--runs", runs, *sets)
    assert code == 0, err
    assert "under occlusion" in out
    code, out, err = occbench_cli("report", runs, "--out", tmp_path / "report")
    assert code == 0, err
    report = (tmp_path / "report" / "report.md").read_text()
    head = next(line for line in report.splitlines() if "seeds" in line)
    columns = [f"{worn}-{light}" for worn in ("sunglasses", "scarf") for light in ("neutral", "side", "all")]
    assert [cell.strip().replace("\\", "") for cell in head.split("|")[3:-1]] == [*columns, "avg"]
    row = next(line for line in report.splitlines() if line.startswith("| F |"))
    assert "73.4" in row, "the paper's number for neutral light"
    assert "min(sunglasses-all(C-Full) - sunglasses-all(F)" in report
    assert "(paper only)" not in report, "of the methods that the paper quotes, it is not known which light they had"
    code, _, err = occbench_cli(
        "run-benchmark", "ar-faces", "--source", faces, "--runs", tmp_path / "part", *sets, "--half-width", "5"
    )
    assert code == 2
    assert "clean column" in err.splitlines()[-1]
