"""The pages in docs/ say what happens: their Python blocks run and print what stands below them."""

import contextlib
import io
import re
from pathlib import Path

import pytest
import torch

from seq2seq.model.attention import Attention

ROOT = Path(__file__).parent.parent
PAGES = [page for page in sorted((ROOT / "docs").glob("*.md")) if "```python" in page.read_text()]
BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<output>.*?)```)?", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_prints_what_the_page_says(page):
    names: dict = {}
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block["code"], page.name, "exec"), names)
        assert printed.getvalue() == (block["output"] or ""), block["code"]


def test_there_are_such_pages():
    assert [page.name for page in PAGES] == ["attention.md"]


def test_the_recipe_for_a_score_of_ones_own_works_in_twenty_lines(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    assert code.count("\n") <= 20
    (tmp_path / "my_scores.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    attention = Attention(3, 3, score="my_scores:Distance", projection="none", size=3)
    query, keys = torch.randn(2, 1, 5, 3), torch.randn(2, 1, 7, 3)
    torch.testing.assert_close(attention.score(query, keys), -torch.cdist(query, keys).square())
