"""What a process keeps beside its tensors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

GROWTH = """
import sys
from pathlib import Path
import torch
from seq2seq import Translator
from seq2seq.config import TrainingConfig
from seq2seq.inference.packing import PackedLinear
from seq2seq.training.processes import Processes
from seq2seq.training.state import build_state

def pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

if sys.argv[1] == "translation":
    Translator.load(sys.argv[2], "cpu")
else:
    build_state(torch.nn.Linear(1, 1), TrainingConfig(), torch.float32, Processes("cpu"))
packed, before = PackedLinear(torch.zeros(64, 64), None, torch.float32), pages()
with torch.inference_mode():
    for rows in range(1, 601):
        packed(torch.zeros(rows, 64))
print(pages() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for the memory")
@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="needs oneDNN")
@pytest.mark.parametrize(("work", "limit"), [("translation", 100), ("training", 190)])
def test_code_for_shapes_that_are_gone_is_not_kept(toy_run, monkeypatch, work, limit):
    monkeypatch.delenv("LRU_CACHE_CAPACITY", raising=False)
    command = [sys.executable, "-c", GROWTH, work, str(toy_run)]
    growth = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert growth * os.sysconf("SC_PAGE_SIZE") < limit * 2**20  # 43 and 148 MiB; 238 where all is kept
