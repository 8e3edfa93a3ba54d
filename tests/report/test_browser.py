"""The pages in headless Chromium: what a reader does with the tables, by mouse, keyboard, phone, night and paper."""

from dataclasses import replace

import numpy as np
import pytest

from occbench.core.results.breakdowns import Cost
from occbench.report.gallery import Gallery
from occbench.report.preview import collect
from occbench.report.preview_page import preview_page
from occbench.report.results_page import results_page

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True}
DARK = {"color_scheme": "dark"}
#: What A4 leaves inside of margins of 12 mm, in CSS pixels.
PAPER = {"viewport": {"width": 703, "height": 1000}}

#: Contrast of every text that is seen with what it stands on, as WCAG 2 computes it: [ratio, text], the worst first.
CONTRASTS = """() => {
  const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = colour => {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    return [...pixel.getImageData(0, 0, 1, 1).data];
  };
  const linear = part => part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const found = rgba(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  const add = (element, colour, text) => {
    const [a, b] = [luminance(rgba(colour)), luminance(ground(element))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), text]);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (texts.currentNode.data.trim() && element.checkVisibility() && !element.closest("script, style, svg"))
      add(element, getComputedStyle(element).color, texts.currentNode.data);
  }
  return found.sort((x, y) => x[0] - y[0]);
}"""


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    """A preview's content, with a class that is named like an attack."""
    found = collect("quickstart", 6, images=3, overrides=["source.images_per_class=1"])
    return replace(found, rows=tuple(replace(row, class_name="<script>alert(1)</script>") for row in found.rows))


@pytest.fixture
def several(results):
    """Four rows of two backbones, one of which did not measure its cost in full."""
    first, second = results.rows
    rows = (
        replace(first, label="C, tiny", arm="C"),
        replace(second, label="D, tiny", arm="D"),
        replace(first, label="C, vgg", arm="C", backbone="vgg"),
        replace(second, label="D, vgg", arm="D", backbone="vgg", method="fine_tune"),
    )
    labels = [row.label for row in rows]
    costs = (
        Cost(label, 9.0, 5.0, 2.0, "cpu", ratio) for label, ratio in zip(labels, (0.5, None, 0.9, 0.7), strict=True)
    )
    return replace(
        results,
        rows=rows,
        comparisons=(replace(results.comparisons[0], label="D, tiny", baseline="C, tiny"),),
        curves=tuple(replace(results.curves[0], label=label) for label in labels),
        heat_maps=tuple(replace(results.heat_maps[0], label=label) for label in labels),
        classes=tuple(replace(item, values=item.values * 2) for item in results.classes),
        costs=tuple(costs),
        runs=tuple(replace(results.runs[0], label=label) for label in labels),
    )


def shown_rows(page, section):
    """Return the first words of the rows that are seen in the first table of a section."""
    rows = page.locator(f"#table1-{section} table").first.locator("tbody").first.locator("tr:visible > th")
    return rows.evaluate_all("heads => heads.map(head => head.firstChild.textContent.trim())")


def header(page, section, name):
    return page.locator(f"#table1-{section} thead th", has_text=name).first


@pytest.mark.parametrize("options", [{}, PHONE, DARK, PHONE | DARK], ids=["light", "phone", "dark", "dark phone"])
@pytest.mark.parametrize("what", ["report", "preview"])
def test_a_page_is_quiet_fits_and_can_be_read(visit, results, gallery, what, options):
    page = visit(results_page([results, results]) if what == "report" else preview_page(gallery), **options)
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], "the page scrolls down, not sideways"
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert contrasts[0][0] >= 4.5, contrasts[0]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(background.removeprefix("rgb(").partition(",")[0])
    assert (red < 60) == (options.get("color_scheme") == "dark")


def test_curves_are_seen_on_light_and_dark_ground(visit, results):
    page = visit(results_page([results]))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        drawn = page.evaluate(
            """() => [...document.querySelectorAll(".legend path[stroke]")].map(path => path.getAttribute("stroke"))"""
        )
        assert len(drawn) == len(results.curves)
        for colour in drawn:
            page.evaluate("colour => document.querySelector('.lead').style.color = colour", colour)
            ratio = next(ratio for ratio, text in page.evaluate(CONTRASTS) if "Top-1 accuracy of" in text)
            assert ratio >= 3, (scheme, colour)


def test_columns_are_sorted_by_mouse(visit, several):
    page = visit(results_page([several]))
    as_listed = ["C, tiny", "D, tiny", "C, vgg", "D, vgg"]
    assert shown_rows(page, "results") == as_listed
    head = header(page, "results", "clean")
    expected = {"descending": [*as_listed[1::2], *as_listed[::2]], "ascending": [*as_listed[::2], *as_listed[1::2]]}
    for order, rows in expected.items():
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == order
        assert shown_rows(page, "results") == rows
        assert page.get_by_role("status").first.text_content() == f"Sorted by clean, {order}."
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") is None
    assert shown_rows(page, "results") == as_listed
    header(page, "results", "Row").get_by_role("button").click()
    assert shown_rows(page, "results") == sorted(as_listed)


def test_what_was_not_measured_is_last_in_either_order(visit, several):
    page = visit(results_page([several]))
    button = header(page, "cost", "of bare").get_by_role("button")
    button.click()
    assert shown_rows(page, "cost") == ["C, vgg", "D, vgg", "C, tiny", "D, tiny"]
    button.click()
    assert shown_rows(page, "cost") == ["C, tiny", "D, vgg", "C, vgg", "D, tiny"]


def test_tables_are_sorted_and_filtered_by_keyboard_alone(visit, several):
    page = visit(results_page([several]))

    def go_to(selector):
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
                return
        pytest.fail(f"60 tabs do not lead to {selector}")

    def outline():
        return page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")

    go_to("details.filters summary")
    assert outline() >= 2, "the focus is seen"
    page.keyboard.press("Enter")
    go_to("input[name=backbone]")
    page.keyboard.press("Space")
    assert shown_rows(page, "results") == ["C, vgg", "D, vgg"]
    go_to("#table1-results thead th:nth-child(2) button")
    assert outline() >= 2
    page.keyboard.press("Enter")
    assert shown_rows(page, "results") == ["D, vgg", "C, vgg"]
    assert page.evaluate("document.activeElement.textContent") == "clean", "the focus stays"


def test_filters_hold_for_every_table_and_figure(visit, several):
    page = visit(results_page([several]))
    page.get_by_text("Filter rows and columns").click()
    for choice, rows in (("vgg", ["C, tiny", "D, tiny"]), ("C", ["D, tiny"])):
        page.get_by_role("checkbox", name=choice, exact=True).uncheck()
        assert shown_rows(page, "results") == shown_rows(page, "curves") == shown_rows(page, "cost") == rows
    assert page.locator("#table1-occluders table:visible").count() == 1
    assert page.locator("#table1-classes thead th:visible").count() == 2 + 1
    assert page.locator("#table1-curves .legend li:visible").all_text_contents() == [" D, tiny"]
    assert page.locator(".figure [id*='-curve-1-']:visible").count() == 2
    assert page.locator(".figure [id*='-curve-0-']:visible").count() == 0
    assert page.get_by_role("status").first.text_content() == "Showing 1 of 4 rows and 2 columns."
    page.get_by_role("checkbox", name="avg").uncheck()
    assert page.locator("#table1-results thead").first.locator("th:visible").count() == 2
    assert shown_rows(page, "differences") == [], "its only row is of avg"
    page.locator("details.filters").get_by_role("button", name="Show all").click()
    assert len(shown_rows(page, "results")) == 4
    assert page.locator("#table1-results thead").first.locator("th:visible").count() == 3
    assert page.locator(".off").count() == 0


def test_two_tables_are_filtered_apart(visit, several):
    page = visit(results_page([several, several]))
    page.get_by_text("Filter rows and columns").first.click()
    page.get_by_role("checkbox", name="vgg").first.uncheck()
    assert len(shown_rows(page, "results")) == 2
    assert page.locator("#table2-results tbody tr[data-arm]:visible").count() == 4


def test_paper_shows_everything_and_nothing_to_press(visit, results):
    page = visit(results_page([results]), **PAPER)
    folded = page.locator("details:not(.filters) td")
    assert folded.count() >= 3
    seen = "cell => cell.checkVisibility({ contentVisibilityAuto: true })"
    assert not any(folded.nth(number).evaluate(seen) for number in range(folded.count()))
    page.emulate_media(media="print")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert folded.evaluate_all(f"cells => cells.every({seen})")
    assert page.locator("nav:visible, .filters:visible, select:visible").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no column is cut off"
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_old_browsers_unfold_before_they_print(visit, results):
    page = visit(results_page([results]))
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not(.filters)[open]").count() == 2
    assert page.locator("details.filters[open]").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_without_script_everything_stands_there_and_nothing_is_dead(visit, several):
    page = visit(results_page([several]), java_script_enabled=False)
    assert page.locator("#table1-results tbody tr[data-arm]:visible").count() == 4
    assert page.locator("button:visible, select:visible, input:visible").count() == 0
    assert page.locator("svg[role=img]:visible").count() == 1


def test_hostile_names_are_text_in_the_report(visit, hostile_class_first, hostile):
    page = visit(results_page([hostile_class_first]))
    assert hostile in page.locator("#table1-classes").inner_text()
    assert hostile in shown_rows(page, "results")
    header(page, "classes", "alert").get_by_role("button").click()
    page.get_by_text("Filter rows and columns").click()
    page.get_by_role("checkbox", name="alert").first.uncheck()
    assert shown_rows(page, "results") == ["C"]
    assert page.locator("script:not([type])").count() == 1


def test_hostile_names_are_text_in_a_preview(visit, gallery):
    page = visit(preview_page(gallery))
    assert page.locator("#clean figcaption").all_inner_texts() == ["<script>alert(1)</script>"] * 3
    assert page.locator("script").count() == 0
    loaded = page.locator("img").evaluate_all("images => images.map(image => image.naturalWidth)")
    assert np.all(np.array(loaded) > 0)
