import re

from occbench.report.latex import escape_latex, latex_of


def test_special_characters_are_escaped():
    assert escape_latex("a & 50 %_#{x}$~^\\") == (
        r"a \& 50 \%\_\#\{x\}\$\textasciitilde{}\textasciicircum{}\textbackslash{}"
    )


def test_every_line_of_the_table_has_all_columns(results):
    body = latex_of([results]).split("\\midrule", 1)[1].split("\\bottomrule")[0]
    lines = [line for line in body.splitlines() if line and not line.startswith("\\midrule")]
    assert all(line.endswith(r"\\") for line in lines)
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(results.columns)}


def test_environments_are_closed_and_braces_balanced(results):
    text = latex_of([results, results])
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")


def test_the_papers_numbers_stand_below_ours(results):
    text = latex_of([results])
    assert r"\textit{62.52} ($-$2.77)" in text
    assert r"A3M\_s (paper) & -- & 44.55 \\" in text
    assert r"{\scriptsize [60.00, 70.00]}" in text
