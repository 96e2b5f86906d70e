"""What is read of a model folder, and what is refused."""

import contextlib
import io
import os
import pickle
import shutil

import pytest
import sentencepiece
import torch
from safetensors.torch import load_file, save_file

from seq2seq import Translator
from seq2seq.config import Config
from seq2seq.errors import ConfigError, DataError, UserError
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.sharing.model_files import _Unfilled, read_model
from seq2seq.sharing.model_folder import FILES
from seq2seq.sharing.shared_config import without_folders
from seq2seq.visualization.inspection import inspect_run


def test_reads_what_was_saved(make_model):
    folder = make_model()
    model, tokenizer, config, place = read_model(folder)
    saved = load_file(folder / "model.safetensors")
    assert {name: list(weight.shape) for name, weight in model.named_parameters()} == {
        name: list(weight.shape) for name, weight in saved.items()
    }
    assert all(torch.equal(weight, saved[name]) for name, weight in model.named_parameters())
    assert (tokenizer.joint, config.model.embedding_size, place) == (True, 7, folder)


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        ({}, (13, 17)),
        ({"tie_embeddings": "all"}, (13, 13)),
        ({"encoder": {"cell": "lstm", "num_layers": 3}, "decoder": {"cell": "lstm", "num_layers": 2}}, (13, 17)),
        ({"encoder": {"cell": "transformer", "num_layers": 2, "hidden_size": 8}, "layer_norm": True}, (13, 17)),
        ({"attention": {"score": "concat", "window": "local_p", "coverage": True}}, (13, 17)),
        ({"decoder": {"style": "luong", "input_feeding": False}, "attention": {"score": "bilinear"}}, (13, 17)),
    ],
)
def test_a_model_of_ours_stays_within_the_size_of_its_weights_and_draws_no_numbers(tmp_path, settings, sizes):
    """The limit is twice their number; what is built is exactly that number, whatever the model."""
    config = Config.model_validate({"data": DATA, "model": settings}).model
    weights = {name: weight.detach() for name, weight in Seq2Seq(config, *sizes).named_parameters()}
    save_file(weights, tmp_path / "model.safetensors")
    drawn = torch.get_rng_state()
    with _Unfilled(tmp_path / "model.safetensors") as limit:
        Seq2Seq(config, *sizes)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert limit._left == limit._held == sum(weight.numel() for weight in weights.values())


DATA = {"source_language": "en", "target_language": "fr", "train": {"hub": "a/b"}, "validation": {"hub": "a/b"}}


@pytest.mark.parametrize(
    "changes",
    [
        {"model.embedding_size": 10**9},
        {"model.embedding_size": 10**300},
        {"model.encoder.hidden_size": 10**9},
        {"model.encoder.num_layers": 10**12},
        {"model.encoder.cell": "transformer", "model.encoder.hidden_size": 2**40},
        {"model.encoder": {"cell": "transformer", "hidden_size": 8, "feedforward_size": 10**12}},
        {"model.decoder.hidden_size": 10**7},
        {"model.decoder.output_size": 10**11},
        {"model.decoder.num_layers": 10**12},
        {"model.attention.size": 10**12},
        {"model.attention.score": "concat", "model.attention.size": 10**9},
    ],
)
def test_a_config_that_asks_for_all_the_memory_is_refused_before_it_is_taken(make_model, edit_config, changes):
    folder = make_model()
    edit_config(folder, changes)
    with pytest.raises(ConfigError, match=r"model.safetensors: does not fit .* and they ask for a model of more than"):
        read_model(folder)


def test_weights_without_content_make_no_room_for_a_large_model(make_model, edit_config):
    """The header alone can claim any size along one dimension, where another is zero."""
    folder = make_model()
    edit_config(folder, {"model.embedding_size": 10**12})
    save_file({"source_embedding.weight": torch.zeros(10**12, 0)}, folder / "model.safetensors")
    with pytest.raises(ConfigError, match="it holds 0 numbers"):
        read_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("output_layer.bias"), "it lacks output_layer.bias"),
        (lambda weights: weights.update(critic=torch.zeros(3)), "it has critic besides"),
        (
            lambda weights: weights.update({"output_layer.bias": torch.zeros(2)}),
            r"output_layer.bias is \(2,\) float32 and should be \(\d+,\) float32",
        ),
        (
            lambda weights: weights.update({"output_layer.bias": weights["output_layer.bias"].double()}),
            r"output_layer.bias is \((\d+),\) float64 and should be \(\1,\) float32",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(make_model, change, message):
    folder = make_model()
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ConfigError, match=f"model.safetensors: does not fit the run's config and tokenizer: {message}"):
        read_model(folder)


@pytest.mark.parametrize("kept", [0, 5, 100, 2000, -1])
def test_truncated_weights_are_named(make_model, kept):
    path = make_model() / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ConfigError, match=r"model.safetensors: damaged, or not a safetensors file"):
        read_model(path.parent)


@pytest.mark.parametrize("place", [-1, -1000, 1500])
def test_a_bit_that_flipped_is_noticed(make_model, place):
    """The header comes first, with the names; then the numbers, each of which may be any."""
    path = make_model() / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"model.safetensors: (damaged|does not fit)"):
        read_model(path.parent)
    if place < 0:
        with pytest.raises(ConfigError, match="its numbers are not those that were written, by their SHA-256"):
            read_model(path.parent)


def test_weights_of_others_need_no_checksum(make_model):
    path = make_model() / "model.safetensors"
    save_file(load_file(path), path)
    read_model(path.parent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.hidden": 3}, "unknown key model.hidden"),
        ({"search.beam_size": [5]}, r"search.beam_size is \[5\]: input should be a valid integer"),
        ({"model.attention.score": "aditive"}, "model.attention.score is 'aditive': use one of additive"),
        ({"data.source_language": "x" * 99_999}, r"config.yaml: not a model's config: it has 10\d,\d+ bytes"),
    ],
)
def test_config_with_mistakes(make_model, edit_config, changes, message):
    folder = make_model()
    edit_config(folder, changes)
    with pytest.raises(ConfigError, match=message):
        read_model(folder)


LAUGHS = "a: &a0 [x, x]\n" + "".join(f"b{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 2_000, "not valid YAML"),
        ("seed: " + "9" * 5000, "not valid YAML: Exceeds the limit"),
        ("seed: 2001-99-99", "not valid YAML: month must be in 1..12"),
        ("!!python/object/apply:os.system [echo]", "not valid YAML: could not determine a constructor"),
        (LAUGHS + "data: {source_language: *a59}", r"data.source_language is \[\[\[\.\.\."),
    ],
    ids=["nesting", "number", "date", "object", "aliases"],
)
def test_config_that_is_an_attack(make_model, text, message):
    folder = make_model()
    (folder / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_model(folder)
    assert len(str(caught.value)) < 8_000


class Bomb:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def torch_pickle(bomb) -> bytes:
    content = io.BytesIO()
    torch.save({"weight": torch.zeros(2), "bomb": bomb}, content)
    return content.getvalue()


@pytest.mark.parametrize("dump", [pickle.dumps, torch_pickle, lambda bomb: pickle.dumps(bomb, protocol=0)])
@pytest.mark.parametrize("name", [*FILES, "README.md", "optimizer.pt", "pytorch_model.bin"])
def test_nothing_is_ever_unpickled(make_model, tmp_path, name, dump):
    folder, mark = make_model(), tmp_path / "exploded"
    if name.startswith("tokenizer/"):
        joint = name == "tokenizer/joint.model"
        shutil.rmtree(folder)
        make_model(**{"tokenizer.joint": joint})
    (folder / name).write_bytes(dump(Bomb(mark)))
    harmless = name in ("README.md", "optimizer.pt", "pytorch_model.bin")
    with contextlib.nullcontext() if harmless else pytest.raises(UserError, match=name):
        inspect_run(folder)
        Translator.load(folder, "cpu").save_pretrained(tmp_path / "exported")
    assert not mark.exists()
    content = io.BytesIO(dump(Bomb(mark)))
    torch.load(content, weights_only=False) if dump is torch_pickle else pickle.load(content)
    assert mark.exists(), "the bomb of this test is a dud"


@pytest.mark.parametrize("name", ["model.pt", "model.bin", "model.pkl", "model.safetensors"])
def test_a_file_is_no_model(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    hint = "" if name == "model.safetensors" else rf" \({name} is never opened: a pickle can run code"
    with pytest.raises(ConfigError, match=f"{name}: is a file: name the folder that holds a model{hint}"):
        read_model(tmp_path / name)


def test_pickled_weights_instead_of_ours_are_not_opened(make_model):
    folder = make_model()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"model.safetensors: no weights yet.*\(pytorch_model.bin is never opened"):
        read_model(folder)
    (folder / "config.yaml").unlink()
    with pytest.raises(ConfigError, match=r"not a run folder: it has no config.yaml.*\(pytorch_model.bin is never"):
        read_model(folder)


def foreign_tokenizer() -> bytes:
    model = io.BytesIO()
    text = iter(["the cat sat on a mat", "a dog"])
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=text, model_writer=model, vocab_size=20, hard_vocab_limit=False, minloglevel=2
    )
    return model.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a sentencepiece model, or damaged: it is empty"),
        (b'{"model": {"type": "BPE"}}', "not a sentencepiece model, or damaged"),
        (
            foreign_tokenizer(),
            r"not a tokenizer of ours: pad, unk, bos, eos are pieces \(-1, 0, 1, 2\), not 0, 1, 2, 3",
        ),
    ],
    ids=["empty", "json", "foreign"],
)
def test_other_tokenizers_are_named(make_model, content, message):
    folder = make_model()
    (folder / "tokenizer" / "joint.model").write_bytes(content)
    with pytest.raises(DataError, match=f"joint.model: {message}"):
        read_model(folder)


@pytest.mark.parametrize(("joint", "other"), [(True, "source"), (False, "joint")])
def test_a_tokenizer_besides_that_of_the_config(make_model, joint, other):
    folder = make_model(**{"tokenizer.joint": joint})
    read_model(folder)
    (folder / "tokenizer" / f"{other}.model").write_bytes(b"")
    with pytest.raises(ConfigError, match=f"{other}.model: does not fit config.yaml, where tokenizer.joint is"):
        read_model(folder)


@pytest.mark.parametrize("name", ["config.yaml", "tokenizer", "model.safetensors", "data.json"])
def test_links_out_of_the_folder_are_refused(make_model, tmp_path, name):
    folder, outside = make_model(), tmp_path / "outside"
    if name == "data.json":
        outside.write_text("{}")
    else:
        (folder / name).rename(outside)
    (folder / name).symlink_to(outside)
    with pytest.raises(ConfigError, match=rf"{name}.*: leads out of the folder, to .*outside"):
        read_model(folder)


def test_links_within_the_folder_and_to_it_are_fine(make_model, tmp_path):
    folder = make_model()
    (folder / "best").mkdir()
    (folder / "model.safetensors").rename(folder / "best" / "step_3.safetensors")
    (folder / "model.safetensors").symlink_to("best/step_3.safetensors")
    (tmp_path / "link").symlink_to(folder)
    assert read_model(tmp_path / "link").folder == tmp_path / "link"


def test_what_is_no_file_is_refused(make_model):
    folder = make_model()
    os.mkfifo(folder / "data.json")
    with pytest.raises(ConfigError, match=r"data.json: is not a file"):
        read_model(folder)


@pytest.mark.parametrize("name", ["nothing", "/no/thing", "./owner/name", "a/b/c", "owner/name@", "owner/na me"])
def test_a_name_that_can_be_none_of_the_hub(name):
    with pytest.raises(ConfigError, match=f"{name.removeprefix('./')}: .*there is"):
        read_model(name)


def test_shared_settings_name_no_folder():
    settings = {
        "train": {"source": "/home/me/a.en", "target": r"C:\me\a.fr"},
        "validation": {"json": "../val.jsonl", "source_column": "x/y"},
        "test": {"hub": "/home/me/corpus", "split": "all/test"},
    }
    settings |= {"cache": "/home/me/cache"}
    sections = {"data": DATA | settings, "training": {"start_from": "me/runs/large"}}
    config = Config.model_validate(sections | {"model": {"vectors": {"target": "me/b.vec"}}})
    shared = without_folders(config)
    assert shared.data.train.model_dump(exclude_none=True) == {"source": "a.en", "target": "a.fr"}
    assert shared.data.validation.model_dump(exclude_none=True) == {"json_file": "val.jsonl", "source_column": "x/y"}
    assert shared.data.test is not None
    assert shared.data.test.model_dump(exclude_none=True) == {"hub": "corpus", "split": "all/test"}
    assert (shared.data.cache, shared.model.vectors.target) == ("cache", "b.vec")
    assert shared.training.start_from == "large"
    public = Config.model_validate({"data": DATA})
    assert without_folders(public) == public
    assert without_folders(shared) == shared
