"""Checks a model's folder before a library opens it, because libraries open more files than a model needs.

Only safetensors are opened as weights. A pickle can run any code when it is opened, and some libraries prefer a pickle
to safetensors, or open a pickle when the safetensors lack a part. So a folder with a file that may be a pickle is
refused.
"""

import json
from pathlib import Path
from typing import Any

from encoder.errors import ModelUnavailable

# PyTorch, TensorFlow, NumPy and scikit-learn save pickles, or files that may contain pickles, with these suffixes.
PICKLES = frozenset(
    (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".p", ".joblib", ".dill", ".npy", ".npz", ".pt2", ".mar", ".h5")
)
WEIGHTS = ".safetensors"


def check_folder(folder: Path) -> None:
    """Raises ModelUnavailable if the folder has a file that may be a pickle.

    Some files of the folder list weights or modules. Also raises ModelUnavailable if such a list cannot be read, or
    names a path outside the folder, or code that is not part of sentence-transformers.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICKLES:
            raise ModelUnavailable(
                f"{path.relative_to(folder)} of model {folder} may be a pickle, which can run any code",
                hint=f"Delete the file. If the folder has no model{WEIGHTS}, convert the weights first.",
            )
    for path in folder.rglob(f"*{WEIGHTS}.index.json"):
        parts = _json(path)
        names = parts.get("weight_map") if isinstance(parts, dict) else None
        if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
            raise ModelUnavailable(f"{path.relative_to(folder)} of model {folder} lists no weights")
        for name in sorted(set(names.values())):
            if Path(name).name != name or not name.endswith(WEIGHTS):
                raise ModelUnavailable(f"{path.relative_to(folder)} of model {folder} lists the weights {name!r}")
    modules = folder / "modules.json"
    listed = _json(modules) if modules.is_file() else []
    if not isinstance(listed, list) or not all(isinstance(module, dict) for module in listed):
        raise ModelUnavailable(f"modules.json of model {folder} is not a list of modules")
    for module in listed:
        kind, subfolder = str(module.get("type")), Path(str(module.get("path", "")))
        if not kind.startswith("sentence_transformers."):
            raise ModelUnavailable(
                f"modules.json of model {folder} names the code {kind}",
                hint="Windowshop runs only the modules of sentence-transformers.",
            )
        if subfolder.is_absolute() or ".." in subfolder.parts:
            raise ModelUnavailable(f"modules.json of model {folder} names the folder {subfolder}, which is outside")

    for path in folder.rglob("router_config.json"):
        router = _json(path)
        kinds = router.get("types") if isinstance(router, dict) else None
        if not isinstance(kinds, dict) or any(
            not str(kind).startswith("sentence_transformers.") for kind in kinds.values()
        ):
            raise ModelUnavailable(
                f"{path.relative_to(folder)} of model {folder} names code that is not part of sentence-transformers"
            )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelUnavailable(f"{path} is not JSON") from error
