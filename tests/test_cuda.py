"""What differs on a GPU: devices, number formats, random states."""

import pytest
import torch

from seq2seq.config_file import load_config
from seq2seq.inference.translator import Translator
from seq2seq.training.loop import train
from seq2seq.training.run_folder import open_run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("style", ["bahdanau", "luong"])
def test_trains_resumes_and_translates(toy, precision, cell, style):
    settings = [f"training.precision={precision}", "training.device=cuda", f"model.decoder.style={style}"]
    settings += [f"model.encoder.cell={cell}", f"model.decoder.cell={cell}"]
    for resume, steps in [(False, 12), (True, 16)]:
        config = load_config(toy / "config.yaml", [*settings, f"training.max_steps={steps}"])
        with open_run(config, toy / "run", resume):
            assert train(config, toy / "run", resume).step == steps
    on_gpu, on_cpu = (Translator.load(toy / "run", device).translate(["a b c"])[0] for device in ("cuda", "cpu"))
    assert on_gpu.score == pytest.approx(on_cpu.score, abs=1e-3)


def test_encoder_stays_out_of_float16_under_autocast(toy):
    config = load_config(toy / "config.yaml")
    from seq2seq.model.seq2seq import Seq2Seq

    model = Seq2Seq(config.model, 11, 13).cuda()
    source = torch.tensor([[4, 5, 3]], device="cuda")
    with torch.autocast("cuda", torch.bfloat16):
        encoded = model.encoder(model.source_embedding(source), source > 0)
    assert encoded.states.dtype == torch.float32
