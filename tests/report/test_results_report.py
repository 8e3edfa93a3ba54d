from occbench.report.results_report import write_report


def test_it_writes_four_files_and_again_the_same(tmp_path, results, snapshot):
    written = write_report([results], tmp_path / "out")
    assert sorted(path.name for path in written) == ["report.html", "report.md", "table.csv", "table.tex"]
    before = {name: digest for name, (digest, _) in snapshot(tmp_path).items()}
    write_report([results], tmp_path / "out")
    assert {name: digest for name, (digest, _) in snapshot(tmp_path).items()} == before
    assert len(before) == 4
