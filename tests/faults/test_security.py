"""Nothing that is read runs, nothing that a folder names leads out of it, and nothing of ours listens."""

import ast
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
import yaml

from seq2seq import Translator
from seq2seq.cli import main
from seq2seq.config import CorpusConfig, DataConfig, TokenizerConfig
from seq2seq.config_file import _Loader, load_config
from seq2seq.data.corpus import Corpus, read_corpus
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError, UserError

PACKAGE = Path(__file__).resolve().parents[2] / "seq2seq"


class Bomb:
    """Makes a folder where it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def plain(bomb: Bomb) -> bytes:
    return pickle.dumps(bomb)


def by_torch(bomb: Bomb) -> bytes:
    content = io.BytesIO()
    torch.save({"optimizer": bomb}, content)
    return content.getvalue()


def by_numpy(bomb: Bomb) -> bytes:
    content = io.BytesIO()
    np.save(content, np.array([bomb], dtype=object), allow_pickle=True)
    return content.getvalue()


def arrow_table(bomb: Bomb) -> pyarrow.Table:
    """Of a column in an extension type that pyarrow before 14.0.1 unpickled (CVE-2023-47248)."""
    metadata = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickle.dumps(bomb)}
    fields = [pyarrow.field(name, pyarrow.string(), metadata=metadata) for name in ("in", "out", "source", "target")]
    return pyarrow.table([["a"]] * 4, schema=pyarrow.schema(fields))


def by_parquet(bomb: Bomb) -> bytes:
    content = io.BytesIO()
    pyarrow.parquet.write_table(arrow_table(bomb), content)
    return content.getvalue()


def by_arrow(bomb: Bomb) -> bytes:
    content, table = io.BytesIO(), arrow_table(bomb)
    with pyarrow.ipc.new_stream(content, table.schema) as stream:
        stream.write_table(table)
    return content.getvalue()


def by_tar(bomb: Bomb) -> bytes:
    """As WebDataset has its samples."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in ("0.in.pickle", "0.pyd", "0.out.pth", "0.npy"):
            member = tarfile.TarInfo(name)
            data = by_numpy(bomb) if name.endswith("npy") else by_torch(bomb) if "pth" in name else plain(bomb)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "exploded"


@pytest.fixture
def run(toy_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_run, tmp_path / "run", symlinks=True))


def resume(run: Path, *options: str) -> list[str]:
    return ["train", str(run / "config.yaml"), "--run", str(run), "--resume", *options]


@pytest.mark.parametrize("dump", [plain, by_torch], ids=["pickle", "torch"])
@pytest.mark.parametrize(
    "name",
    ["config.yaml", "tokenizer/joint.model", "data.json", "metrics.jsonl", "checkpoints/latest/model.safetensors",
     "checkpoints/latest/averaged.safetensors", "checkpoints/latest/optimizer.pt", "checkpoints/latest/progress.json"],
)  # fmt: skip
def test_resuming_a_run_unpickles_nothing(run, mark, capsys, name, dump: Callable[[Bomb], bytes]):
    averages = name.endswith("averaged.safetensors")
    if averages:
        settings = yaml.safe_load((run / "config.yaml").read_text())
        settings["training"]["ema_decay"] = 0.9
        (run / "config.yaml").write_text(yaml.safe_dump(settings))
    (run / name).write_bytes(dump(Bomb(mark)))
    assert main(resume(run)) == (0 if name == "metrics.jsonl" else 2)
    assert not mark.exists()
    assert main(["average", str(run), "--last", "1", "--output", str(run.parent / "mean")]) in (0, 2)
    assert main(["export", str(run), "--output", str(run.parent / "exported")]) in (0, 2)
    assert not mark.exists()
    capsys.readouterr()


@pytest.mark.parametrize("kind", ["source", "json", "csv", "tsv", "parquet", "vectors", "config"])
@pytest.mark.parametrize("dump", [plain, by_torch, by_numpy, by_parquet, by_tar], ids=lambda dump: dump.__name__)
def test_training_on_a_bomb_unpickles_nothing(toy, mark, capsys, kind, dump: Callable[[Bomb], bytes]):
    path = toy / "bomb"
    path.write_bytes(dump(Bomb(mark)))
    config, overrides = toy / "config.yaml", []
    if kind == "config":
        config = path
    elif kind == "vectors":
        overrides = [f"model.vectors.source={path}"]
    else:
        place = {"source": str(path), "target": str(path)} if kind == "source" else {kind: str(path)}
        overrides = [f"data.train={json.dumps(place)}"]
    is_table = (kind, dump) == ("parquet", by_parquet)  # of text, whatever type it says it is
    assert main(["train", str(config), *overrides, "--run", str(toy / "run"), "training.max_steps=1"]) == 2 * (
        not is_table
    )
    assert not mark.exists()
    if dump in (plain, by_numpy):
        (np.load if dump is by_numpy else pickle.load)(
            io.BytesIO(dump(Bomb(mark))), **({"allow_pickle": True} if dump is by_numpy else {})
        )
        assert mark.exists(), "the bomb of this test is a dud"
    capsys.readouterr()


@pytest.mark.parametrize(
    ("name", "dump"),
    [("train.pkl", plain), ("train.pickle", plain), ("train.pt", by_torch), ("train.npy", by_numpy),
     ("train.parquet", by_parquet), ("train.arrow", by_arrow), ("train.tar", by_tar), ("train.py", plain)],
)  # fmt: skip
def test_a_dataset_s_folder_unpickles_nothing(tmp_path, mark, name, dump: Callable[[Bomb], bytes]):
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / name).write_bytes(dump(Bomb(mark)))
    if name.endswith(".py"):
        (folder / "dataset.py").write_text(f"import os; os.mkdir({str(mark)!r})")
    corpus = CorpusConfig(hub=str(folder))
    data = DataConfig(source_language="in", target_language="out", train=corpus, validation=corpus)
    if name in ("train.parquet", "train.arrow"):
        assert read_corpus(corpus, data, "train") == Corpus(["a"], ["a"])
    else:
        with pytest.raises(UserError, match="hub dataset"):
            read_corpus(corpus, data, "train")
    assert not mark.exists()


@pytest.mark.parametrize("name", ["state.json", "dataset_info.json", "data-00000-of-00001.arrow"])
@pytest.mark.parametrize("dump", [plain, by_arrow], ids=lambda dump: dump.__name__)
def test_a_tokenized_corpus_unpickles_nothing(run, toy_run, mark, capsys, name, dump: Callable[[Bomb], bytes]):
    cache = Path(shutil.copytree(toy_run.parent / ".cache", run.parent / ".cache"))
    (path,) = cache.glob(f"*/{name}")
    path.write_bytes(dump(Bomb(mark)))
    is_read = path.suffix == ".arrow"
    assert main(resume(run, "training.max_steps=151")) == (2 if is_read else 0)
    assert ("damaged" in capsys.readouterr().err) == is_read
    assert not mark.exists()


def test_a_tokenized_corpus_has_no_files_elsewhere(run, toy_run, capsys):
    cache = Path(shutil.copytree(toy_run.parent / ".cache", run.parent / ".cache"))
    (data,) = cache.glob("*/data-*.arrow")
    data.rename(run.parent / "elsewhere.arrow").touch()
    data.symlink_to(run.parent / "elsewhere.arrow")
    assert main(resume(run, "training.max_steps=151")) == 2
    assert "damaged (it has files elsewhere)" in capsys.readouterr().err


def test_checkpoints_lead_nowhere_else(run, tmp_path, capsys):
    """A link among them is neither read nor, when it is the oldest, removed with what it points to."""
    latest = run / "checkpoints" / "latest"
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter").touch()
    (run / "checkpoints" / "step_1").symlink_to(mine)
    assert main(resume(run, "training.max_steps=152", "training.checkpoint_every=1")) == 0
    assert (mine / "letter").exists()
    shutil.copytree(latest, tmp_path / "step_152")
    latest.unlink()
    latest.symlink_to(tmp_path / "step_152")
    assert main(resume(run, "training.max_steps=153")) == 2
    assert "checkpoints/latest: leads out of the folder, to" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["tokenizer/joint.model", "data.json", "metrics.jsonl", "checkpoints/latest/model.safetensors"]
)
def test_average_takes_nothing_from_elsewhere(run, tmp_path, capsys, name):
    shutil.copy(run / name, tmp_path / "secret")
    (run / name).unlink()
    (run / name).symlink_to(tmp_path / "secret")
    assert main(["average", str(run), "--last", "1", "--output", str(tmp_path / "mean")]) == 2
    assert f"leads out of the folder, to {tmp_path / 'secret'}" in capsys.readouterr().err
    assert not (tmp_path / "mean").exists()


def test_average_takes_no_other_files(run, tmp_path):
    (tmp_path / "secret").touch()
    (run / "tokenizer" / "notes").symlink_to(tmp_path / "secret")
    assert main(["average", str(run), "--last", "1", "--output", str(tmp_path / "mean")]) == 0
    assert [path.name for path in (tmp_path / "mean" / "tokenizer").iterdir()] == ["joint.model"]


@pytest.mark.parametrize(
    "name", ["../up", "owner/..", "owner/../up", "owner/name@../../up", "owner/name@/etc", "./owner/x"]
)
def test_a_name_on_the_hub_is_no_path(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigError, match="not a run folder: there is none of that name; a model on the hub is owner/name"
    ):
        Translator.load(name)


def test_a_dataset_s_revision_is_asked_for(monkeypatch):
    """What the library makes of it is the library's; a folder's name may hold the sign."""
    import datasets

    asked = []

    def load_dataset(**options):
        asked.append(options)
        return datasets.Dataset.from_dict({"in": ["a"], "out": ["b"]})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    for hub in ("owner/name@4f0c3d2", "owner/name"):
        corpus = CorpusConfig(hub=hub)
        data = DataConfig(source_language="in", target_language="out", train=corpus, validation=corpus)
        assert read_corpus(corpus, data, "train") == Corpus(["a"], ["b"])
    assert [(options["path"], options["revision"]) for options in asked] == [
        ("owner/name", "4f0c3d2"),
        ("owner/name", None),
    ]


CODE = """
import pathlib
from seq2seq.model.scores import Additive
pathlib.Path("imported").touch()
class Mine(Additive): pass
"""


@pytest.fixture
def received(run, monkeypatch) -> Path:
    """A folder from somebody: its config names a class, and the code lies beside it, where one stands."""
    settings = yaml.safe_load((run / "config.yaml").read_text())
    settings["model"]["attention"]["score"] = "their_score:Mine"
    (run / "config.yaml").write_text(yaml.safe_dump(settings))
    (run / "their_score.py").write_text(CODE)
    monkeypatch.chdir(run)
    monkeypatch.setattr(sys, "path", ["", *sys.path])  # as of `python -m`
    monkeypatch.delitem(sys.modules, "their_score", raising=False)
    return run


COMMANDS = {
    "translate": ["translate", ".", "a"], "evaluate": ["evaluate", "."], "attention": ["attention", ".", "a"],
    "score": ["score", ".", "--source", "train.log", "--target", "train.log"], "inspect": ["inspect", "."],
    "export": ["export", ".", "--output", "../exported"],
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_model_s_folder_imports_nothing_unasked(received, capsys, command):
    assert main(COMMANDS[command]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "its config names code, model.attention.score=their_score:Mine, and no model imports code by itself" in line
    assert "if you trust their_score, give --import their_score, or in Python `import their_score` before" in line
    assert not (received / "imported").exists()
    assert main([*COMMANDS[command], "--import", "their_score"]) == 0
    assert (received / "imported").exists()


def test_the_command_itself_looks_in_the_current_folder_only_where_asked(received):
    command = [
        sys.executable,
        "-c",
        "import sys; from seq2seq.cli import main; sys.exit(main())",
        "translate",
        ".",
        "a",
    ]
    (received / "datasets.py").write_text(CODE)  # in the place of a library
    done = subprocess.run(command, capture_output=True, text=True, cwd=received)
    assert (done.returncode, done.stdout) == (2, "")
    assert not (received / "imported").exists()


@pytest.mark.parametrize("name", ["os:_exit", "subprocess:Popen", "builtins:exec", "torch:Tensor"])
def test_what_is_imported_already_is_a_module_of_torch_s_or_refused(received, name):
    settings = yaml.safe_load((received / "config.yaml").read_text())
    settings["model"]["attention"]["score"] = name
    (received / "config.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(ConfigError, match=f"model.attention.score is '{name}': that is no class of torch's modules"):
        Translator.load(received)


@pytest.mark.parametrize("module", ["no_such_module", "", "..up", "a/b"])
def test_a_module_to_import_that_is_none(run, capsys, module):
    assert main(["translate", str(run), "a", "--import", module]) == 2
    assert f"--import {module}: cannot import it: " in capsys.readouterr().err


def test_a_class_of_one_s_own_never_takes_a_library_s_place(tmp_path, monkeypatch):
    from seq2seq.plugins import import_own

    (tmp_path / "shlex.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.delitem(sys.modules, "shlex", raising=False)
    import_own("shlex")
    assert not (tmp_path / "imported").exists()


def test_no_translation_gives_orders_to_a_terminal():
    text = ["a \x1b]0;title\x07 b \x9b31m \x00"]
    tokenizer = Tokenizer.train(
        TokenizerConfig(vocabulary_size=280, normalization="identity"), Corpus(text * 9, text * 9)
    )
    (ids,) = tokenizer.encode_target(text)
    assert tokenizer.decode(ids) == "a ]0;title b 31m"


def test_no_message_gives_orders_to_a_terminal(toy, capsys):
    (toy / "bad.yaml").write_text('"\\e]0;title\\a\\nseq2seq: all is well": 1')
    assert main(["train", str(toy / "bad.yaml"), "--run", str(toy / "run")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert r"\x1b]0;title\x07\nseq2seq: all is well" in line


FORBIDDEN = set(
    "pickle dill cloudpickle joblib shelve marshal runpy code socket socketserver http asyncio xmlrpc".split()
)
"""Modules that run what they read, or listen."""
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = set("yaml.unsafe_load yaml.full_load np.load os.system os.popen torch.hub torch.jit".split())


def faults_of(path: Path) -> list[str]:
    faults = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"{path.relative_to(PACKAGE.parent)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            faults += [f"{where} imports {module}" for module in modules if module.partition(".")[0] in FORBIDDEN]
        if isinstance(node, ast.Name) and node.id in CALLS:
            faults.append(f"{where} has {node.id}")
        if isinstance(node, ast.Attribute) and ast.unparse(node) in METHODS:
            faults.append(f"{where} has {ast.unparse(node)}")
        if isinstance(node, ast.Call):
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if ast.unparse(node.func) == "yaml.load" and "_Loader" not in map(ast.unparse, node.args):
                faults.append(f"{where} has yaml.load without the loader of config_file.py")
            if ast.unparse(node.func) == "torch.load" and options.get("weights_only") != "True":
                faults.append(f"{where} has torch.load without weights_only=True")
            if options.get("shell") or options.get("allow_pickle") or options.get("trust_remote_code"):
                faults.append(f"{where} has {options}")
            if ast.unparse(node.func).endswith("import_module") and path.name != "plugins.py":
                faults.append(f"{where} imports by name")
    return faults


def test_the_package_neither_unpickles_nor_listens():
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 50
    assert [fault for path in files for fault in faults_of(path)] == []


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("import pickle", "imports pickle"),
        ("from http.server import HTTPServer", "imports http.server"),
        ("eval('1')", "has eval"),
        ("yaml.load(x, yaml.Loader)", "has yaml.load without the loader of config_file.py"),
        ("torch.load(x)", "has torch.load without weights_only=True"),
        ("torch.load(x, weights_only=False)", "has torch.load without weights_only=True"),
        ("subprocess.run(x, shell=True)", "has {'shell': 'True'}"),
        ("importlib.import_module(x)", "imports by name"),
    ],
)
def test_this_check_finds_what_it_looks_for(tmp_path, monkeypatch, code, fault):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "package")
    (tmp_path / "bad.py").write_text(code)
    assert faults_of(tmp_path / "bad.py") == [f"bad.py:1 {fault}"]


def test_a_config_is_read_without_constructing_anything(tmp_path):
    assert issubclass(_Loader, yaml.SafeLoader)
    (tmp_path / "config.yaml").write_text("!!python/object/apply:os.mkdir [exploded]")
    with pytest.raises(ConfigError, match="not valid YAML: could not determine a constructor"):
        load_config(tmp_path / "config.yaml")
