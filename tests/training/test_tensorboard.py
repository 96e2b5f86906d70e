"""What TensorBoard is given to draw, read back with its own reader."""

import io

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seq2seq.errors import ConfigError

SETTINGS = ["training.tensorboard=true", "training.max_steps=60", "training.validate_every=20"]


def events(run):
    reader = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0, "scalars": 0})
    return reader.Reload()


def test_curves_are_those_of_the_records_and_pictures_show_the_first_sentences(training):
    training("run", *SETTINGS)
    found = events(training.toy / "run")
    kinds = {"training": ["epoch", "loss", "learning_rate", "tokens_per_second", "gradient_norm"],
             "validation": ["loss", "perplexity", "bleu", "chrf"]}  # fmt: skip
    assert set(found.Tags()["scalars"]) == {f"{kind}/{name}" for kind, names in kinds.items() for name in names}
    records = training.records("run")
    for kind, name in [("training", "loss"), ("validation", "bleu"), ("validation", "perplexity")]:
        expected = [(r["step"], pytest.approx(r[name], rel=1e-6)) for r in records if r["kind"] == kind]
        assert [(event.step, event.value) for event in found.Scalars(f"{kind}/{name}")] == expected
    assert found.Tags()["images"] == [f"attention/sentence {number}" for number in (1, 2, 3)]
    pictures = found.Images("attention/sentence 2")
    assert [picture.step for picture in pictures] == [20, 40, 60]
    with Image.open(io.BytesIO(pictures[-1].encoded_image_string)) as picture:
        assert min(picture.size) > 100
        assert len(picture.getcolors(1 << 20)) > 20  # labels and shades


def test_resumed_run_takes_back_what_came_after_its_checkpoint(training, killed_before):
    with killed_before(48):
        training("run", *SETTINGS, "training.checkpoint_every=30")
    assert [event.step for event in events(training.toy / "run").Scalars("validation/bleu")] == [20, 40]
    training("run", *SETTINGS, "training.checkpoint_every=30", resume=True)
    found = events(training.toy / "run")
    assert [event.step for event in found.Scalars("validation/bleu")] == [20, 40, 60]
    assert [event.step for event in found.Images("attention/sentence 1")] == [20, 40, 60]


def test_a_model_without_attention_has_curves_only(training):
    training("run", *SETTINGS[:1], "model.attention.score=none")
    assert events(training.toy / "run").Tags()["images"] == []


def test_missing_package_is_named_before_anything_is_read(training, monkeypatch):
    monkeypatch.setattr("seq2seq.training.tensorboard.find_spec", lambda name: None)
    message = r"training.tensorboard=true needs a package that is not installed: pip install 'seq2seq-attention\[tens"
    with pytest.raises(ConfigError, match=message):
        training("run", *SETTINGS)
    assert not (training.toy / "run" / "tokenizer").exists()
