import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occbench.core.errors import ConfigError, DatasetError, SourceError, StorageError
from occbench.core.types import Condition
from occbench.data.recipe import load_recipe
from occbench.generate.run import generate
from occbench.report.gallery import Gallery, choose_conditions, spread_positions
from occbench.report.preview import collect, preview
from occbench.report.preview_page import preview_page

FEW = ["source.images_per_class=2"]


def write_folder(root: Path, sizes: dict[str, tuple[int, int]]) -> Path:
    """Write one image per class folder, each of its own size (width, height) and colours."""
    for number, (name, (width, height)) in enumerate(sizes.items()):
        pixels = np.fromfunction(
            lambda y, x, c, n=number: (x * (3 + n) + y * 5 + c * 70) % 256, (height, width, 3)
        ).astype(np.uint8)
        (root / name).mkdir(parents=True)
        Image.fromarray(pixels).save(root / name / "one.png")
    return root


def folder_options(root: Path, rule: str = "none") -> dict:
    changes = ["source={name: image_folder}", f"prepare={{rule: {rule}}}"]
    return {"source_path": str(root), "overrides": changes}


def times_found(sheet: np.ndarray, tile: np.ndarray) -> int:
    """Count where ``tile`` lies in ``sheet``, pixel for pixel."""
    height, width = tile.shape[:2]
    first = tile[0].tobytes()
    found = 0
    for y in range(len(sheet) - height + 1):
        line, start = sheet[y].tobytes(), -1
        while (start := line.find(first, start + 1)) >= 0:
            x = start // 3
            found += start % 3 == 0 and np.array_equal(sheet[y : y + height, x : x + width], tile)
    return found


class Page(HTMLParser):
    """The tags of a page and the text outside its style element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return collect("quickstart", 8, images=3, overrides=FEW)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("page") / "page.html"
    return preview("quickstart", out, images=2, overrides=FEW).read_text(encoding="utf-8")


def test_every_tile_of_a_sheet_has_the_rendered_pixels(gallery, tmp_path):
    out = preview("quickstart", tmp_path / "sheet.png", images=3, overrides=FEW)
    with Image.open(out) as picture:
        assert picture.format == "PNG"
        assert picture.width <= 2400
        sheet = np.asarray(picture.convert("RGB"))
    tiles = [image for row in gallery.rows for image in (row.clean, *(sample.image for sample in row.samples))]
    assert len(tiles) == 3 * (1 + 8)
    assert all(times_found(sheet, tile) == 1 for tile in tiles)


def test_a_sheet_of_large_images_stays_bounded_and_small_images_are_enlarged_whole(tmp_path):
    large = write_folder(tmp_path / "large", {"wide": (900, 700), "tall": (700, 900)})
    with Image.open(preview("caltech101-24", tmp_path / "large.png", **folder_options(large))) as picture:
        assert picture.width <= 2400
    small = write_folder(tmp_path / "small", {"tiny": (40, 40)})
    with Image.open(preview("irregular-holes", tmp_path / "small.png", **folder_options(small))) as picture:
        sheet = np.asarray(picture.convert("RGB"))
    with Image.open(small / "tiny" / "one.png") as picture:
        enlarged = np.asarray(picture).repeat(3, axis=0).repeat(3, axis=1)
    assert times_found(sheet, enlarged) == 1


def test_a_page_shows_every_condition_once_and_every_image_under_it(page):
    shown = [item["data-condition"] for item in Page(page).all("div") if "data-condition" in item]
    assert sorted(shown) == sorted(condition.name for condition in load_recipe("quickstart").conditions())
    images = Page(page).all("img")
    assert len(images) == 2 * (1 + 24)
    assert all(image["alt"] for image in images)


def test_a_page_needs_no_network_and_no_script(page):
    parsed = Page(page)
    references = [item[name] for _, item in parsed.tags for name in ("src", "href") if name in item]
    assert references
    assert all(reference.startswith(("data:image/jpeg;base64,", "data:,", "#")) for reference in references)
    assert not parsed.all("script")
    assert not re.search(r"url\(|@import|https?://", page)


def test_a_page_names_its_provenance(page):
    text = " ".join(Page(page).text)
    recipe = load_recipe("quickstart", FEW)
    assert recipe.pixels_fingerprint() in text
    assert recipe.open_source().fingerprint in text
    assert recipe.open_source().terms in text
    assert "10.0 % hidden" in text


def test_jumps_of_a_page_lead_somewhere(page):
    parsed = Page(page)
    targets = {item["id"] for _, item in parsed.tags if "id" in item}
    assert {item["href"].removeprefix("#") for item in parsed.all("a")} <= targets


def test_hostile_text_is_shown_as_text(gallery):
    hostile = "</style><script>alert(1)</script>"
    rows = tuple(replace(row, class_name=hostile) for row in gallery.rows)
    html = preview_page(replace(gallery, title=hostile, description=hostile, facts=((hostile, hostile),), rows=rows))
    assert "<script" not in html
    assert html.count("</style>") == 1
    assert Page(html).text.count(hostile) >= 4 + len(rows)


def test_a_hostile_folder_name_is_shown_as_text(tmp_path):
    # the name of a folder cannot hold the slash of a closing tag
    root = write_folder(tmp_path / "images", {"<script>alert(1)<script>": (64, 64), 'a"onload="x': (64, 64)})
    html = preview("irregular-holes", tmp_path / "page.html", **folder_options(root)).read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;script&gt;" in html
    assert not any("onload" in item for item in Page(html).all("img"))
    assert "<script>alert(1)<script>" in Page(html).text


@pytest.mark.parametrize("layout", ["virtual", "materialised"])
def test_a_finished_dataset_shows_what_its_recipe_shows(tmp_path, layout):
    generate(load_recipe("quickstart", [*FEW, f"storage.layout={layout}"]), tmp_path / "made")
    of_recipe = collect("quickstart", 8, images=4, overrides=FEW)
    of_directory = collect(str(tmp_path / "made"), 8, images=4)
    assert of_directory.groups == of_recipe.groups
    for mine, other in zip(of_directory.rows, of_recipe.rows, strict=True):
        assert (mine.key, mine.class_name) == (other.key, other.class_name)
        assert np.array_equal(mine.clean, other.clean)
        for sample, rendered in zip(mine.samples, other.samples, strict=True):
            assert (sample.condition, sample.group) == (rendered.condition, rendered.group)
            assert sample.achieved == rendered.achieved
            assert np.array_equal(sample.image, rendered.image)


def test_images_are_of_different_classes_where_there_are_enough(tmp_path):
    classes = len(load_recipe("quickstart").open_source().classes)
    by_turns = collect("quickstart", 1, images=6).rows
    assert len({row.class_name for row in by_turns}) == 6
    everything = collect("quickstart", 1, images=99, overrides=FEW).rows
    assert len({row.key for row in everything}) == len(everything) == 2 * classes


def test_an_unusable_image_is_skipped_and_counted(tmp_path):
    root = write_folder(tmp_path / "images", {"cat": (64, 64), "dog": (64, 64)})
    (root / "cat" / "broken.png").write_bytes(b"not an image")
    shown = collect("irregular-holes", 2, **folder_options(root))
    assert len(shown.rows) == 2
    skipped = dict(shown.facts)["Skipped as unusable"]
    assert skipped.startswith("1 (")
    assert "broken" in skipped


def test_a_source_without_a_usable_image_is_one_clear_error(tmp_path):
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "images" / "cat" / "broken.png").write_bytes(b"not an image")
    with pytest.raises(SourceError, match="none of 1 images"):
        collect("irregular-holes", 2, **folder_options(tmp_path / "images"))


def test_conditions_are_shared_out_over_groups_and_occluders():
    conditions = load_recipe("ilsvrc-240").conditions()
    groups = choose_conditions(conditions, 24)
    assert [(group.name, len(group.shown), group.total) for group in groups] == [
        ("10c", 6, 30),
        ("10r", 6, 90),
        ("20c", 6, 30),
        ("20r", 6, 90),
    ]
    shown = [condition for group in groups for condition in group.shown]
    assert len({condition.name for condition in shown}) == 24
    assert len({condition.parameters["occluder"] for condition in shown}) > 12
    assert dict(groups[0].common) == {"ratio": 0.1, "position": "c"}
    assert sum(len(group.shown) for group in choose_conditions(conditions, 1000)) == 240


def test_more_groups_than_places_show_one_condition_each():
    conditions = [Condition(name=f"level-{number}", family="x", group=f"g{number}") for number in range(10)]
    groups = choose_conditions(conditions, 4)
    assert [len(group.shown) for group in groups] == [1, 1, 1, 1]


@pytest.mark.parametrize("count", [1, 2, 3, 12, 600, 997, 5975])
def test_spread_positions_visits_all_and_begins_spread(count):
    positions = list(spread_positions(count))
    assert sorted(positions) == list(range(count))
    beginning = sorted(positions[:8])
    gaps = np.diff([*beginning, beginning[0] + count])
    assert gaps.max() <= count / min(8, count) * 2.7 + 1


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet", "page.pdf"])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=r"\.png .* \.html"):
        preview("quickstart", tmp_path / name, overrides=FEW)
    assert not list(tmp_path.iterdir())


def test_no_images_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="1 or more"):
        preview("quickstart", tmp_path / "a.png", images=0)


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot write"):
        preview("quickstart", tmp_path / "file" / "page.html", images=1, overrides=FEW)


def test_recipe_options_are_refused_for_a_finished_dataset(tmp_path):
    generate(load_recipe("quickstart", FEW), tmp_path / "made", limit=2)
    with pytest.raises(ConfigError, match="finished dataset"):
        preview(str(tmp_path / "made"), tmp_path / "a.png", overrides=["seed=3"])
    with pytest.raises(ConfigError, match="finished dataset"):
        preview(str(tmp_path / "made"), tmp_path / "a.png", source_path="somewhere")


def test_a_folder_without_a_dataset_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="not an occbench dataset"):
        preview(str(tmp_path / "empty"), tmp_path / "a.png")


def test_a_folder_called_like_a_recipe_does_not_hide_it(tmp_path, monkeypatch):
    (tmp_path / "quickstart").mkdir()
    monkeypatch.chdir(tmp_path)
    assert preview("quickstart", Path("a.png"), images=1, overrides=FEW).is_file()


def test_photographs_keep_their_pixels_on_a_sheet(real_data, tmp_path):
    options = {"source_path": str(real_data / "caltech101"), "images": 2}
    shown = collect("caltech101-24", 8, **options)
    sheet = preview("caltech101-24", tmp_path / "sheet.png", **options).read_bytes()
    with Image.open(io.BytesIO(sheet)) as picture:
        assert picture.width <= 2400
        pixels = np.asarray(picture.convert("RGB"))
    assert all(times_found(pixels, sample.image) == 1 for row in shown.rows for sample in row.samples)
