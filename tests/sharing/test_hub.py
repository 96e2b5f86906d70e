"""The hub by its own library, against a stand-in that answers as it does."""

import base64
import hashlib
import http.server
import importlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import torch
from huggingface_hub import ModelCard, constants

from seq2seq import Translator
from seq2seq.cli import main
from seq2seq.errors import ConfigError, UserError
from seq2seq.visualization.inspection import inspect_run

TOKEN = "hf_good"
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning")  # the library's own


class Hub(http.server.ThreadingHTTPServer):
    """Repositories as commits by branch, each commit a dict of files, and the large files' store."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.repos: dict[str, dict] = {}
        self.store: dict[str, bytes] = {}
        self.asked: list[str] = []
        """Method and path of each request."""

    def create(self, repo: str, private: bool = False, files: dict[str, bytes] | None = None) -> str:
        self.repos[repo] = {"private": private, "branches": {"main": ""}, "commits": {"": {}}}
        return self.commit(repo, "main", files or {".gitattributes": b""})

    def commit(self, repo: str, branch: str, files: dict[str, bytes]) -> str:
        content = self.files(repo, branch) | files
        oid = hashlib.sha1(f"{len(self.repos[repo]['commits'])}{sorted(content)}".encode()).hexdigest()
        self.repos[repo]["commits"][oid] = content
        self.repos[repo]["branches"][branch] = oid
        return oid

    def files(self, repo: str, revision: str) -> dict[str, bytes]:
        return self.repos[repo]["commits"][self.repos[repo]["branches"].get(revision, revision)]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, format, *args):
        self.server.asked.append(f"{self.command} {urlsplit(self.path).path}")

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
            repo, kind, revision = match[1], match[2], match[3] or "main"
            if not self.may_read(repo, revision):
                return None
            if kind == "tree":
                return self.answer([entry(name, data) for name, data in self.server.files(repo, revision).items()])
            of_repo = self.server.repos[repo]
            oid = of_repo["branches"].get(revision, revision)
            names = [{"rfilename": name} for name in self.server.files(repo, revision)]
            return self.answer({"id": repo, "sha": oid, "private": of_repo["private"], "siblings": names})
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            repo, revision, name = match.groups()
            if not self.may_read(repo, revision):
                return None
            content = self.server.files(repo, revision)[name]
            etag = {"ETag": f'"{entry(name, content)["oid"]}"', "X-Repo-Commit": revision}
            return self.answer(content, headers=etag)
        return self.refuse(404, "", "Not found")

    do_HEAD = do_GET

    def do_POST(self):
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if path == "/api/validate-yaml":
            return self.answer({"warnings": [], "errors": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.refuse(401, "", "Invalid username or password.")
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked['organization']}/{asked['name']}"
            if asked["organization"] == "stranger":
                return self.refuse(403, "", "You don't have the rights to create a model under this namespace")
            if repo in self.server.repos:
                return self.refuse(409, "", "You already created this model repo", {"url": f"{self.server.url}/{repo}"})
            self.server.create(repo, private=asked.get("visibility") == "private")
            return self.answer({"url": f"{self.server.url}/{repo}"})
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/branch/(.+)", path):
            branches = self.server.repos[match[1]]["branches"]
            if match[2] in branches:
                return self.refuse(409, "", "Reference already exists")
            branches[match[2]] = branches["main"]
            return self.answer({})
        if re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/(.+)", path):
            modes = {file["path"]: mode(file["path"]) for file in json.loads(body)["files"]}
            answers = [{"path": name, "uploadMode": how, "shouldIgnore": False} for name, how in modes.items()]
            return self.answer({"files": answers})
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                item | {"actions": {"upload": {"href": f"{self.server.url}/store/{item['oid']}"}}}
                for item in json.loads(body)["objects"]
            ]
            return self.answer({"transfer": "basic", "objects": objects})
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/(.+)", path):
            return self.commit(match[1], match[2], [json.loads(line) for line in body.splitlines()])
        return self.refuse(404, "", "Not found")

    def do_PUT(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.store[hashlib.sha256(content).hexdigest()] = content
        self.answer({})

    def commit(self, repo: str, branch: str, operations: list[dict]) -> None:
        files, deleted = {}, set()
        for key, value in ((operation["key"], operation["value"]) for operation in operations[1:]):
            if key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.server.store[value["oid"]]
            else:
                deleted.add(value["path"])
        oid = self.server.commit(repo, branch, files)
        for name in deleted:
            del self.server.files(repo, oid)[name]
        self.answer({"commitUrl": f"{self.server.url}/{repo}/commit/{oid}", "commitOid": oid})

    def may_read(self, repo: str, revision: str) -> bool:
        if repo == "owner/broken":
            self.refuse(418, "", "I am\na teapot")
        elif repo == "owner/gated":
            self.refuse(403, "GatedRepo", "Access to model owner/gated is restricted")
        elif repo not in self.server.repos or (
            self.server.repos[repo]["private"] and self.headers.get("Authorization") != f"Bearer {TOKEN}"
        ):
            self.refuse(401, "RepoNotFound", "Repository not found")
        elif revision not in self.server.repos[repo]["branches"] | self.server.repos[repo]["commits"]:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            return True
        return False

    def refuse(self, status: int, code: str, message: str, body: object = None) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message.replace("\n", " ")}
        self.answer(body or {"error": message}, status, headers)

    def answer(self, body: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def mode(name: str) -> str:
    return "lfs" if name.endswith((".safetensors", ".model")) else "regular"


def entry(name: str, content: bytes) -> dict:
    """A file as the hub lists it: by git's hash, and by SHA-256 where it is in the large files' store."""
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return {"type": "file", "path": name, "oid": oid, "size": len(content)}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The library's settings, read when it was imported, point to the stand-in, and its cache is empty."""
    with Hub() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.chdir(tmp_path)
        yield server
        server.shutdown()


@pytest.fixture
def translator(make_model) -> Translator:
    return Translator.load(make_model(), "cpu")


def weights(translator: Translator) -> dict[str, torch.Tensor]:
    return {name: parameter.detach() for name, parameter in translator.model.named_parameters()}


def assert_same(one: Translator, other: Translator) -> None:
    torch.testing.assert_close(weights(one), weights(other), rtol=0, atol=0)
    assert one.tokenizer.fingerprint == other.tokenizer.fingerprint


def test_push_and_load_round_trip(hub, translator, make_model, capfd):
    first = translator.push_to_hub("owner/cat", token=TOKEN)
    assert re.fullmatch(r"owner/cat@[0-9a-f]{40}", first)
    assert set(hub.files("owner/cat", "main")) == {
        ".gitattributes", "README.md", "config.yaml", "model.safetensors", "tokenizer/joint.model"
    }  # fmt: skip
    loaded = Translator.load("owner/cat", "cpu")
    assert_same(loaded, translator)
    assert loaded.config.model == translator.config.model.model_copy(update={"vectors": loaded.config.model.vectors})
    other = Translator.load(make_model("other", **{"tokenizer.joint": False}), "cpu")
    second = other.push_to_hub("owner/cat", token=TOKEN)
    assert set(hub.files("owner/cat", "main")) == {
        ".gitattributes", "README.md", "config.yaml", "model.safetensors", "tokenizer/source.model",
        "tokenizer/target.model",
    }  # fmt: skip
    assert_same(Translator.load("owner/cat", "cpu"), other)
    assert_same(Translator.load(first, "cpu"), translator)
    assert_same(Translator.load(second, "cpu"), other)
    assert capfd.readouterr() == ("", "")


def test_each_push_is_one_commit_and_only_our_files_are_fetched(hub, translator):
    translator.push_to_hub("owner/cat", token=TOKEN)
    assert sum("/commit/" in line for line in hub.asked) == 1
    hub.commit("owner/cat", "main", {"pytorch_model.bin": b"pickle", "tokenizer/../../evil.py": b"", "big.txt": b"0"})
    Translator.load("owner/cat", "cpu")
    fetched = {line.split("/", 5)[5] for line in hub.asked if line.startswith("GET /owner/cat/resolve/")}
    assert fetched == {"config.yaml", "tokenizer/joint.model", "model.safetensors"}


def test_branches_are_made_and_pinned(hub, translator, make_model):
    other = Translator.load(make_model("other"), "cpu")
    translator.push_to_hub("owner/cat", token=TOKEN)
    other.push_to_hub("owner/cat", revision="v2", token=TOKEN)
    other.push_to_hub("owner/cat", revision="v2", token=TOKEN)
    assert_same(Translator.load("owner/cat", "cpu"), translator)
    assert_same(Translator.load("owner/cat@v2", "cpu"), other)
    with pytest.raises(ConfigError, match=r"owner/cat@v3: there is no such folder, and the model .* no revision v3"):
        Translator.load("owner/cat@v3", "cpu")


def test_private_models(hub, translator, monkeypatch):
    translator.push_to_hub("owner/cat", private=True, token=TOKEN)
    with pytest.raises(ConfigError, match=r"owner/cat: there is no such folder, and the hub has no such model, or it"):
        Translator.load("owner/cat", "cpu")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert_same(Translator.load("owner/cat", "cpu"), translator)
    hub.create("owner/public")
    with pytest.raises(UserError, match="owner/public: not pushed: it is there already, and public"):
        translator.push_to_hub("owner/public", private=True)
    assert set(hub.files("owner/public", "main")) == {".gitattributes"}


def test_what_was_downloaded_is_there_offline(hub, translator, monkeypatch):
    translator.push_to_hub("owner/cat", token=TOKEN)
    Translator.load("owner/cat", "cpu")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert_same(Translator.load("owner/cat", "cpu"), translator)
    for name in ("owner/dog", "owner/cat@v2"):
        with pytest.raises(ConfigError, match=f"{name}: there is no such folder, and HF_HUB_OFFLINE is set"):
            Translator.load(name, "cpu")
    with pytest.raises(UserError, match="owner/cat: not pushed: HF_HUB_OFFLINE is set"):
        translator.push_to_hub("owner/cat", token=TOKEN)


def test_a_folder_comes_before_the_hub(hub, translator, make_model):
    translator.push_to_hub("owner/cat", token=TOKEN)
    hub.asked.clear()
    other = make_model("owner/cat")
    assert Translator.load("owner/cat", "cpu").folder == Path("owner/cat")
    assert_same(Translator.load("owner/cat", "cpu"), Translator.load(other, "cpu"))
    assert hub.asked == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("owner/dog", r"the hub has no such model, or it is private: then log in \(`hf auth login`"),
        ("owner/gated", "its owner decides who gets the model"),
        ("owner/broken", "the hub .*I am a teapot"),
        ("owner/a--b", "the exchange with the hub .* failed: .*owner/a--b"),
    ],
)
def test_why_there_is_no_model(hub, name, reason, capfd):
    with pytest.raises(ConfigError, match=f"^{name}: there is no such folder, and {reason}") as caught:
        Translator.load(name, "cpu")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_what_is_on_the_hub_but_not_ours(hub):
    hub.create("owner/other", files={"config.json": b"{}", "pytorch_model.bin": b""})
    with pytest.raises(ConfigError, match=r"owner/other: not a run folder: it has no config.yaml"):
        Translator.load("owner/other", "cpu")


def test_a_hub_that_cannot_be_reached(hub, translator, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(ConfigError, match=r"owner/dog: there is no such folder, and the hub \(http.*\) cannot be"):
            Translator.load("owner/dog", "cpu")
        with pytest.raises(UserError, match=r"owner/dog: not pushed: the exchange with the hub .* refused"):
            translator.push_to_hub("owner/dog", token=TOKEN)


@pytest.mark.parametrize(
    ("name", "token", "reason"),
    [
        ("owner/cat", "hf_bad", "the hub answers with status 401, .*; log in with a token that may"),
        ("owner/cat", None, "the hub answers with status 401, .*; log in with a token that may"),
        ("stranger/cat", TOKEN, "the hub answers with status 403, You don't have the rights.*; log in with a token"),
    ],
)
def test_why_a_model_was_not_pushed(hub, translator, name, token, reason):
    with pytest.raises(UserError, match=f"{name}: not pushed: {reason}") as caught:
        translator.push_to_hub(name, token=token)
    assert "\n" not in str(caught.value)
    assert hub.repos == {}


@pytest.mark.parametrize("name", ["cat", "owner/cat/x", "/owner/cat", "owner/cat@"])
def test_push_to_what_is_no_name(translator, name):
    with pytest.raises(UserError, match=f"{name}: no name on the hub; one is owner/name, or owner/name@revision"):
        translator.push_to_hub(name)
    with pytest.raises(UserError, match="to push to a branch, give its name as revision='v2'"):
        translator.push_to_hub("owner/cat@v2")


def test_no_model_imports_by_itself(hub, make_model, edit_config, tmp_path, monkeypatch):
    """tests/faults/test_security.py has the same of a folder."""
    (tmp_path / "hub_score.py").write_text("from seq2seq.model.scores import Additive\nclass Mine(Additive): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    folder = make_model()
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    edit_config(folder, {"model.attention.score": "hub_score:Mine"})
    hub.create("owner/cat", files=files | {"config.yaml": (folder / "config.yaml").read_bytes()})
    with pytest.raises(ConfigError, match=r"owner/cat: its config names code, model.attention.score=hub_score:Mine"):
        Translator.load("owner/cat", "cpu")
    importlib.import_module("hub_score")
    loaded = Translator.load("owner/cat", "cpu")
    assert_same(loaded, Translator.load(folder, "cpu"))
    loaded.push_to_hub("owner/again", token=TOKEN)
    card = hub.files("owner/again", "main")["README.md"].decode()
    assert "`hub_score:Mine`" in card
    assert "the commands take `--import hub_score`" in card
    assert (
        '```python\nimport hub_score\nfrom seq2seq import Translator\n\ntranslator = Translator.load("owner/again")'
        in card
    )


def test_paths_from_the_hub_lead_nowhere(hub, make_model):
    folder = make_model(**{"data.test": {"source": "/etc/passwd", "target": "../../etc/group"}})
    hub.create("owner/cat", files={
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    })  # fmt: skip
    test = Translator.load("owner/cat", "cpu").config.data.test
    assert test is not None
    assert (test.source, test.target) == ("passwd", "group")


def test_a_link_in_the_cache_to_elsewhere_is_refused(hub, translator, tmp_path):
    translator.push_to_hub("owner/cat", token=TOKEN)
    (snapshot,) = {Translator.load("owner/cat", "cpu").folder}
    assert (snapshot / "config.yaml").is_symlink()
    (tmp_path / "elsewhere").write_bytes((snapshot / "config.yaml").read_bytes())
    (snapshot / "config.yaml").unlink()
    (snapshot / "config.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"config.yaml: leads out of the folder"):
        Translator.load("owner/cat", "cpu")


def test_inspect_and_card_of_a_model_on_the_hub(hub, translator):
    (translator.folder / "data.json").write_text('{"train": {"read": 5}}')
    scores = {"bleu": {"score": 12.345, "signature": "nrefs:1|version:2"}}
    translator.push_to_hub("owner/cat", token=TOKEN, scores=scores)
    assert inspect_run("owner/cat").data == {"train": {"read": 5}}
    Translator.load("owner/cat", "cpu").push_to_hub("owner/copy", token=TOKEN)
    (result,) = ModelCard(hub.files("owner/copy", "main")["README.md"].decode()).data.eval_results
    assert (result.metric_value, result.metric_config) == (12.35, "nrefs:1|version:2")


def test_commands(hub, make_model, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    folder = make_model()
    assert main(["export", str(folder), "--push", "owner/cat@v1", "--private"]) == 0
    printed = capsys.readouterr()
    assert re.fullmatch(r"owner/cat@[0-9a-f]{40}\n", printed.out)
    assert printed.err == ""
    assert hub.repos["owner/cat"]["private"]
    environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "seq2seq.cli", "translate", "owner/cat@v1", "a dog", "--device", "cpu"],
        cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    (expected,) = Translator.load(folder, "cpu").translate(["a dog"])
    assert (done.returncode, done.stderr, done.stdout) == (0, "", expected.text + "\n")


def test_command_mistakes(make_model, tmp_path, capsys):
    folder = str(make_model())
    for arguments, message in [
        (["--push", "cat"], "cat: no name on the hub"),
        (["--output", str(tmp_path / "new"), "--private"], "--private goes with --push"),
        (["--output", folder], f"{folder}: exists; name another folder"),
    ]:
        assert main(["export", folder, *arguments]) == 2
        assert message in capsys.readouterr().err
