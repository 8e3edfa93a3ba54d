"""Results made by hand, with names that every format has to escape, and a browser to look at their pages."""

import os
import shutil
from contextlib import ExitStack
from dataclasses import replace

import pytest

from occbench.core.results.breakdowns import ClassAccuracy, Cost, Curve, HeatMap
from occbench.core.results.result_set import ResultSet, RunEntry
from occbench.core.results.rows import ClaimVerdict, Comparison, Number, PublishedRow, ResultRow, TableCell

#: Hostile in HTML, LaTeX, Markdown, CSV and SVG at once.
HOSTILE = '<script>alert("1")</script> & 50 %_$x$|`\\'


@pytest.fixture
def hostile():
    """A name that every format has to escape."""
    return HOSTILE


def _row(label, start):
    cells = (
        TableCell(Number(start + 1 / 3, start - 2, start + 3), None, None, None),
        TableCell(Number(start - 20.25, start - 25, start - 15), 1.25, 62.52, start - 20.25 - 62.52),
    )
    return ResultRow(label, label, "dfv", "tiny", (0, 1), cells, (("top-5, occluded", 91.5),))


@pytest.fixture
def results():
    """Two rows, the second with a hostile name."""
    labels = ("C", HOSTILE)
    return ResultSet(
        benchmark="made-up & co",
        setting="",
        test_set="0123456789abcdef",
        images=400,
        columns=("clean", "avg"),
        conditions=(1, 8),
        rows=(_row("C", 80.0), _row(HOSTILE, 85.0)),
        published_only=(PublishedRow("A3M_s", (None, 44.55), "table 9"),),
        published_source="arXiv 0000.00000 table 1",
        comparisons=(Comparison(HOSTILE, "C", "avg", Number(5.0, 3.0, 7.0), 0.0002, 0.0004),),
        verdicts=(
            ClaimVerdict("gain", "avg(D) > avg(C)", "table 1", "16.78 points", "tiny", "holds", Number(5, 3, 7), ""),
            ClaimVerdict("loss", "clean(C) - clean(D) <= 1", "", "", "tiny", "fails", Number(-2, -3, -1), ""),
            ClaimVerdict("", "avg(D) > 60", "", "", "tiny", "undecided", Number(0.5, -3, 4), ""),
            ClaimVerdict("chosen alpha", "", "table 2", "0.9 share", "tiny", "not judged", None, "a fact"),
        ),
        curves=tuple(Curve(label, ((0.0, Number(80, 78, 82)), (0.2, Number(60.0625, 55, 64)))) for label in labels),
        heat_maps=tuple(
            HeatMap(label, ("leaf2", HOSTILE), ("10 % c", "20 % r1"), ((60.5, 40.0), (None, 30.25))) for label in labels
        ),
        classes=(
            *(ClassAccuracy(f"class {n}", 4, (n, n + 1.5)) for n in range(11)),
            ClassAccuracy(HOSTILE, 4, (90, 91)),
        ),
        costs=tuple(Cost(label, 100.25, 5.5, 2929.8, "cpu") for label in labels),
        runs=(RunEntry("feedfacefeedface", HOSTILE, 0, "random"),),
        provenance=(("Versions", f"torch 2.9 {HOSTILE}"),),
        warnings=(f"{HOSTILE} has no finished run of seed 2, which other rows have.",),
    )


@pytest.fixture
def hostile_class_first(results):
    """The same with the hostile class among the worst."""
    return replace(results, classes=results.classes[::-1])


#: The variable names a Chromium that must be there, as continuous integration does; without it, tests may be skipped.
CHROMIUM = "OCCBENCH_TEST_CHROMIUM"
#: What Chromium needs in a container, and what it would otherwise ask the network of its own accord.
QUIETLY = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium with an empty profile; not longer than a module, for its event loop would be in others' way."""
    named = os.environ.get(CHROMIUM)
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not found:
        pytest.skip(f"no Chromium on the path: apt-get install chromium, or set {CHROMIUM}")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=QUIETLY)
        yield started
        started.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Open a page; when the test ends, it must have been quiet: no error, no message, no dialog, no request."""
    noise = []
    with ExitStack() as contexts:

        def open_page(html, **options):
            path = tmp_path / f"page-{len(list(tmp_path.glob('page-*')))}.html"
            path.write_text(html, encoding="utf-8")
            context = browser.new_context(**options)
            contexts.callback(context.close)
            context.set_default_timeout(10_000)
            page = context.new_page()
            page.on("console", lambda message: noise.append(f"console: {message.text}"))
            page.on("pageerror", lambda error: noise.append(f"error: {error}"))
            page.on("dialog", lambda dialog: (noise.append(f"dialog: {dialog.message}"), dialog.dismiss()))
            page.on("request", lambda request: noise.append(f"request: {request.url}"))
            page.goto(path.as_uri())
            assert noise[:1] == [f"request: {path.as_uri()}"]
            noise.pop(0)
            return page

        yield open_page
    assert noise == []
