"""Whatever stands in a config: a config, or one line that names the file or the key."""

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from seq2seq.config import Config
from seq2seq.config_file import load_config, save_config

TIMES = settings().max_examples // 100  # 1 in the quick suite, more in `make fuzz`
SETTINGS = {
    "data": {
        "source_language": "en",
        "target_language": "fr",
        "train": {"source": "train.en", "target": "train.fr"},
        "validation": {"json": "validation.json"},
    }
}


def dotted_keys(schema: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key that a config may have, sections included."""
    keys = []
    for name, field in schema.model_fields.items():
        keys.append(f"{prefix}{field.alias or name}")
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                keys += dotted_keys(kind, f"{keys[-1]}.")
    return keys


KEYS = dotted_keys(Config)
NAMES = sorted({part for key in KEYS for part in key.split(".")})
CHOICES = ["none", "gru", "lstm", "transformer", "luong", "dot", "all", "hard", "a:b", ":", "bpe", "auto", "hub", "1e3"]

scalars = (
    st.sampled_from([0, 1, 2, 64, -1, 0.5, 1e-3, True, False, None, *CHOICES])
    | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.dates() | st.datetimes()
    | st.binary(max_size=5)
)  # fmt: skip
keys = st.sampled_from(NAMES) | st.text(max_size=9) | st.integers(-2, 2) | st.none() | st.booleans()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=8
)
PIECES = [
    *" \n-:?,[]{}&*!|>'\"%@`#~=<.0123456789e+_", "\n  ", ": ", "- ", "&a ", "*a", "<<: ", "---\n", "...\n", "\t",
    "!!int ", "!!float ", "!!bool ", "!!null ", "!!timestamp ", "!!binary ", "!!set ", "!!omap ", "!!pairs ", "!!str ",
    "!!map ", "!!seq ", "!!python/name:os.system ", "!!python/object/apply:os.getcwd []", "%YAML 9.9\n", "0x", "0b",
    "1:", "2001-12-14", "T25:61:61", "+99:99", ".inf", '"\\ud800"', '"\\x', "\\", "\ufeff", "\x85", "data: ",
    "model: ", "a",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "config.yaml"


@pytest.fixture(scope="module")
def check(attempt, path: Path):
    """What loads can be saved and loaded again; what does not is refused by name."""

    def check(overrides: list[str] | None = None, names: list[str] | None = None) -> None:
        config = attempt(lambda: load_config(path, overrides), *(names or [str(path)]))
        if config is not None:
            save_config(config, path)
            assert load_config(path) == config

    return check


@settings(max_examples=20 * TIMES)
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=4))
def test_settings(check, path: Path, changes: dict[str, Any]):
    changed: dict[str, Any] = yaml.safe_load(yaml.safe_dump(SETTINGS))
    for key, value in changes.items():
        *sections, name = key.split(".")
        section = changed
        for part in sections:
            section[part] = section[part] if isinstance(section.get(part), dict) else {}
            section = section[part]
        section[name] = value
    path.write_text(yaml.safe_dump(changed, allow_unicode=True), encoding="utf-8")
    check(names=[part for key in changes for part in key.split(".")])  # a section may lack what its keys need


@settings(max_examples=15 * TIMES)
@given(values)
def test_structures(check, path: Path, content: Any):
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    check()


@settings(max_examples=30 * TIMES)
@given(texts)
@example("!!int")  # an IndexError
@example("!!bool a")  # a KeyError
@example("!!timestamp a")  # an AttributeError
@example("0001-01-01T00:00:00+23:00")  # an OverflowError where it is shown
@example('"a\\nb": 1')  # a message of two lines
def test_texts(check, path: Path, text: str):
    path.write_text(text, encoding="utf-8", newline="")
    check()
    path.write_text(f"data: {text}\nmodel: {text}", encoding="utf-8", newline="")
    check()


@settings(max_examples=10 * TIMES)
@given(st.binary(max_size=60))
def test_bytes(check, path: Path, content: bytes):
    path.write_bytes(content)
    check()


@settings(max_examples=20 * TIMES)
@given(st.sampled_from(KEYS) | st.text(max_size=9) | st.sampled_from(KEYS).map(lambda key: f"{key}.x"), texts)
@example("training.seed", "2001-99-99")  # a ValueError
@example("training.seed", "!!int")  # an IndexError
def test_overrides(check, path: Path, key: str, text: str):
    path.write_text(yaml.safe_dump(SETTINGS))
    override = f"{key}={text}"
    check([override], names=[repr(override), *key.split("."), str(path)])
