import pytest

from occbench.bench.protocol.reference import claims_for, reference_names, reference_table, row_beside
from occbench.core.errors import ConfigError


def test_a_table_is_read_with_its_numbers():
    rows = {row.arm: row for row in reference_table("caltech101-exclusive")}
    assert list(rows) == ["C", "C-Full", "C-10C", "C-20C"]
    assert rows["C"].values == {"clean": 93.05, "20c": 22.66, "20r": 30.59, "10c": 47.91, "10r": 61.74, "avg": 43.44}
    assert (rows["C"].backbone, rows["C"].source) == ("ResNet18", "arXiv 2011.00768 table 2")


@pytest.mark.parametrize("name", reference_names())
def test_every_number_is_a_percentage_and_every_row_says_where_it_stands(name):
    rows = reference_table(name)
    assert rows
    assert all(0 < value <= 100 for row in rows for value in row.values.values())
    assert all(row.values and row.source for row in rows)
    named = [(row.arm, row.backbone) for row in rows]
    assert len(set(named)) == len(named)


def test_columns_that_are_no_accuracy_and_empty_ones_are_left_out():
    quoted = {row.arm: row for row in reference_table("cub200") if row.is_quoted}
    assert sorted(quoted) == ["A3M", "A3M_s"]
    assert set(quoted["A3M"].values) == {"clean", "20", "10", "avg"}
    assert {"sunglasses": 87.0, "scarf": 59.5} in [row.values for row in reference_table("ar-faces")]


@pytest.mark.parametrize("name", reference_names())
def test_claims_can_be_looked_up_in_their_table(name):
    columns = {(row.arm, column) for row in reference_table(name) for column in row.values}
    claims = claims_for(name)
    assert claims
    assert all(set(item.claim.terms) <= columns for item in claims if item.claim)
    assert all(item.claim.source == item.source for item in claims if item.claim)


def test_the_row_beside_an_arm_is_that_of_its_backbone():
    two = reference_table("dfeat-patchdrop")
    found = {
        backbone: row_beside(two, "cutmix", f"timm/{backbone}").values["patchdrop-80"]
        for backbone in ("convnext_base.fb_in1k", "swin_base_patch4_window7_224.ms_in1k")
    }
    assert list(found.values()) == [67.44, 77.22]
    assert row_beside(two, "cutmix", "torchvision/resnet50") is None  # neither of the two
    one = reference_table("caltech101-inclusive")
    assert row_beside(one, "C", "torchvision/resnet50").backbone == "ResNet18"
    assert row_beside(one, "C-10C", "torchvision/resnet18") is None
    assert row_beside(reference_table("cub200"), "A3M", "torchvision/resnet50") is None  # quoted from elsewhere


def test_facts_that_no_run_can_judge_have_no_statement():
    facts = {item.title: item for item in claims_for("caltech101-exclusive") if item.claim is None}
    assert facts["chosen alpha"].printed == 0.9
    assert facts["chosen alpha"].unit == "share of samples"
    gain = next(item for item in claims_for("ilsvrc-inclusive") if item.title == "average gain")
    assert (gain.printed, gain.unit) == (9.14, "points")


def test_no_claims_are_made_about_a_benchmark_of_our_own():
    assert claims_for("quickstart") == ()


@pytest.mark.parametrize("name", ["claims", "../reference/ar-faces", "missing"])
def test_an_unknown_table_is_answered_with_those_there_are(name):
    with pytest.raises(ConfigError, match="caltech101-inclusive"):
        reference_table(name)
