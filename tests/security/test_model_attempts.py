"""A model's folder is refused if it contains a pickle, names foreign code, or names modules or weights that are outside
of itself or no safetensors. A folder with a malformed list of modules or weights is refused too.

To add an attack, add a row: the file, its content, and the words of the refusal.
"""

import json
from pathlib import Path

import pytest

from encoder.errors import ModelUnavailable
from encoder.models.model_folder import check_folder

MODULE = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.sentence_transformer.modules.Transformer"}
PICKLES = [
    "pytorch_model.bin",
    "pytorch_model-00001-of-00002.bin",
    "training_args.bin",
    "2_Dense/pytorch_model.bin",
    "model.pt",
    "model.PTH",
    "last.ckpt",
    "vocab.pkl",
    "a/b/c/state.pickle",
    "head.joblib",
    "weights.npy",
    "weights.npz",
    "tf_model.h5",
]
ATTEMPTS = [
    *((name, "x", f"{name} of model .* may be a pickle") for name in PICKLES),
    ("modules.json", json.dumps([{**MODULE, "type": "os.system"}]), "names the code os.system"),
    ("modules.json", json.dumps([{**MODULE, "type": "modeling.Own"}]), "names the code modeling.Own"),
    ("modules.json", json.dumps([{**MODULE, "path": "../other"}]), "names the folder ../other"),
    ("modules.json", json.dumps([{**MODULE, "path": "/etc"}]), "names the folder /etc"),
    ("modules.json", "[{", "modules.json is not JSON"),
    ("modules.json", "[" * 100_000, "modules.json is not JSON"),
    ("modules.json", '{"0": 1}', "is not a list of modules"),
    ("model.safetensors.index.json", '{"weight_map": ["a"]}', "lists no weights"),
    ("model.safetensors.index.json", '{"weight_map": {"a": 1}}', "lists no weights"),
    *(
        ("model.safetensors.index.json", json.dumps({"weight_map": {"a": name}}), "lists the weights")
        for name in ("../model.safetensors", "/tmp/model.safetensors", "pytorch_model.bin.index", "a/model.safetensors")
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a folder with the files of a model whose weights are in two parts."""
    parts = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    for name in ("config.json", "tokenizer.json", *parts.values()):
        (tmp_path / name).write_text("{}")
    (tmp_path / "modules.json").write_text(json.dumps([MODULE]))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    return tmp_path


def test_a_folder_of_safetensors_is_accepted(folder: Path) -> None:
    check_folder(folder)


@pytest.mark.parametrize(("name", "content", "refusal"), ATTEMPTS)
def test_a_folder_with_a_pickle_or_foreign_code_or_a_malformed_list_is_refused(
    folder: Path, name: str, content: str, refusal: str
) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    with pytest.raises(ModelUnavailable, match=refusal):
        check_folder(folder)
