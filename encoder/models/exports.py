"""Reads the exports of models: folders with a model's towers (its image encoder and its text encoder) as files for ONNX
Runtime. Also writes the description of an export; `export.py` writes the towers.

The folder of an export is named after the model's revision, so an export is never used with other weights. Importing
this module imports neither torch nor ONNX Runtime.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from encoder.errors import ExportUnusable

Part = Literal["image", "text"]
PARTS: tuple[Part, ...] = get_args(Part)
MIN_COSINE = 0.9999  # between a vector of torch in float32 and the vector of an exported tower
FORMAT = 1  # raise this number when a change of the towers needs new files
DESCRIPTION = "export.json"
MAX_DESCRIPTION_BYTES = 64 * 1024  # limit of a description, which usually has less than 1 KB
HINT = 'Run "windowshop model export" to write the files again.'


@dataclass(frozen=True, slots=True)
class ExportedTower:
    sha256: str  # of the ONNX file
    cosine: float  # the least cosine to torch in float32, over the samples of the export


@dataclass(frozen=True, slots=True)
class Export:
    folder: Path
    towers: Mapping[Part, ExportedTower]  # the towers that passed MIN_COSINE
    bfloat16: float | None  # least cosine of torch's image vectors in bfloat16 to float32; None: not measured

    def file(self, part: Part) -> Path:
        return self.folder / f"{part}.onnx"

    def checked_file(self, part: Part) -> Path:
        """Returns the file of a tower. Raises ExportUnusable if it cannot be read or is not what the export wrote."""
        path = self.file(part)
        try:
            with path.open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise ExportUnusable(f"{path} cannot be read: {error.strerror}", hint=HINT) from error
        if found != self.towers[part].sha256:
            raise ExportUnusable(f"{path} is damaged: its SHA-256 is not the one in {DESCRIPTION}", hint=HINT)
        return path


def find(root: Path, revision: str) -> Export | None:
    """Returns the export of a model's revision below `root`, or None if there is none of this FORMAT. Raises
    ExportUnusable if its description cannot be read."""
    folder = root / revision
    if Path(revision).name != revision or revision == "..":
        return None  # the revision is no name of a folder
    path = folder / DESCRIPTION
    try:
        with path.open("rb") as opened:
            written = opened.read(MAX_DESCRIPTION_BYTES + 1)
        if len(written) > MAX_DESCRIPTION_BYTES:
            raise ExportUnusable(f"{path} has more than {MAX_DESCRIPTION_BYTES} bytes", hint=HINT)
        found = json.loads(written)
        if found["format"] != FORMAT or found["revision"] != revision:
            return None
        towers = {
            part: ExportedTower(str(found["towers"][part]["sha256"]), float(found["towers"][part]["cosine"]))
            for part in PARTS
            if part in found["towers"]
        }
        bfloat16 = None if found["bfloat16"] is None else float(found["bfloat16"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ExportUnusable(f"{path} cannot be read: {error.strerror}", hint=HINT) from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ExportUnusable(f"{path} is damaged", hint=HINT) from error
    return Export(folder, towers, bfloat16)


def write_description(export: Export, revision: str) -> None:
    towers = {part: {"sha256": tower.sha256, "cosine": tower.cosine} for part, tower in export.towers.items()}
    described = {"format": FORMAT, "revision": revision, "towers": towers, "bfloat16": export.bfloat16}
    (export.folder / DESCRIPTION).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
