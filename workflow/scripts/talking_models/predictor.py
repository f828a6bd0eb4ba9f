"""What came out of a run, used: predictions for a table of pairs, or for pictures.

python -m talking_models.predictor MODELS PAIRS.csv OUT.csv
python -m talking_models.predictor MODELS PICTURES/ OUT.csv
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import Image

from talking_models.data.features import encode
from talking_models.data.images import rgb
from talking_models.errors import SourceError
from talking_models.io import write_csv
from talking_models.models import backbones, checkpoint
from talking_models.models.files import kind_of
from talking_models.training.batches import RatingData, predict_all

BATCH = 64  # pictures at once


class Predictor:
    """A trained model; `predict` gives a table with a column `prediction`."""

    def predict(self, given: Any) -> pd.DataFrame:
        """See the two subclasses."""
        raise NotImplementedError


class RatingPredictor(Predictor):
    """A stack of models of ratings; the prediction is their mean over seeds.

    Args:
        trained: what a training job left.
    """

    def __init__(self, trained: checkpoint.Checkpoint) -> None:
        self.trained, self.model = trained, trained.stack()

    def predict(self, given: pd.DataFrame) -> pd.DataFrame:
        """Ratings of pairs.

        Args:
            given: columns user and item, ids as in the training data; a user or an item that was
                not in it is an unknown one. Of such an item, `title` (text) and `categories` (a
                list of names) say more, if they are there.

        Returns:
            `given` with the columns prediction, in the ratings' unit and not clipped to their
            scale, and deviation, the standard deviation over seeds (NaN for one).

        Raises:
            SourceError: a column is missing, or an id.
        """
        absent = [name for name in ("user", "item") if name not in given]
        if absent:
            raise _refused(f"no column {', '.join(absent)}")
        rows = given.reset_index(drop=True).assign(rating=0.0)
        for column, known in (("user", self.trained.vocabulary.users), ("item", self._items())):
            rows[column] = _ids(rows[column], isinstance(known[0], str))
        if rows.empty:
            return given.assign(prediction=[], deviation=[])
        data = RatingData(encode(rows, self._listing(rows), self.trained.vocabulary))
        found = predict_all(self.model, data, len(self.trained.seeds)).double()
        columns = {"prediction": found.mean(0).numpy()}
        columns["deviation"] = found.std(0).numpy() if len(found) > 1 else float("nan")
        return given.assign(**columns)

    def _items(self) -> list:
        return self.trained.vocabulary.items

    def _listing(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The items' table of the training, with what `rows` say of others."""
        known = pd.DataFrame({"item": self._items(), **self.trained.listing})
        new = rows.drop_duplicates("item")
        new = new[~new["item"].isin(known["item"])]
        empty: list[Any] = [[] for _ in range(len(new))]
        new = pd.DataFrame(
            {
                "item": new["item"],
                "title": new.get("title", ""),
                "categories": new.get("categories", empty),
            }
        )
        return pd.concat([known, new]).sort_values("item", ignore_index=True)


def _refused(found: str) -> SourceError:
    return SourceError(
        "these pairs cannot be predicted",
        expected="columns user and item with an id in each row, as the training data has them",
        found=found,
        advice="rename or correct them",
    )


def _ids(ids: pd.Series, text: bool) -> pd.Series:
    """Ids as text or as whole numbers, as the training had them.

    Raises:
        SourceError: one is missing, or no whole number.
    """
    if ids.isna().any():
        raise _refused(f"a missing id in the column {ids.name}, row {int(ids.isna().idxmax()) + 1}")
    if text:
        return ids.astype(str)
    numbers = pd.to_numeric(ids, errors="coerce")
    wrong = numbers.isna() | (numbers % 1 != 0)
    if wrong.any():
        row = int(wrong.idxmax())
        raise _refused(f"{ids[row]!r}, no whole number, in the column {ids.name}, row {row + 1}")
    return numbers.astype("int64")


class ImagePredictor(Predictor):
    """A model of images.

    Args:
        path: what a training job left.
    """

    def __init__(self, path: str | Path) -> None:
        self.model, self.look, about = backbones.load_trained(path)
        self.classes = about["classes"]

    def predict(self, given: Iterable[str | Path]) -> pd.DataFrame:
        """Classes of pictures.

        Args:
            given: image files.

        Returns:
            Columns file, prediction (the name of the class) and probability.

        Raises:
            SourceError: a file is no picture, or cut.
        """
        from talking_models.training.loader import plain  # torchvision comes with it

        transform, files, rows = plain(self.look), list(map(str, given)), []
        for start in range(0, len(files), BATCH):
            batch = [
                transform(Image.fromarray(self._read(f))) for f in files[start : start + BATCH]
            ]
            with torch.no_grad():
                output = self.model(_Batch(torch.stack(batch))).output.softmax(-1)
            best = output.max(-1)
            rows += zip(best.indices.tolist(), best.values.tolist(), strict=True)
        names = [self.classes[label] for label, _ in rows]
        return pd.DataFrame(
            {"file": files, "prediction": names, "probability": [share for _, share in rows]}
        )

    @staticmethod
    def _read(file: str) -> Any:
        try:
            return rgb(Image.open(file))
        except (OSError, ValueError) as error:
            raise SourceError(
                f"{file} cannot be read",
                expected="a whole picture",
                found=str(error),
                advice="replace it, or leave it out",
            ) from error


class _Batch:
    """What a model of images reads of a batch."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images


def load(path: str | Path) -> Predictor:
    """See `talking_models.load`."""
    kind = kind_of(path)
    if kind == checkpoint.KIND:
        return RatingPredictor(checkpoint.Checkpoint.load(path))
    if kind == backbones.KIND:
        return ImagePredictor(path)
    raise ValueError(f"{path} holds {kind or 'no model of ours'}, no trained student or teacher")


def run(models: str | Path, given: str | Path, out: str | Path) -> None:
    """Predictions from files to a CSV file: of pairs in a CSV file, or of a folder of pictures."""
    predictor, given = load(models), Path(given)
    if given.is_dir():
        files = sorted(path for path in given.rglob("*") if path.is_file())
        write_csv(out, predictor.predict(files))
    else:
        # as written: 007 is not 7
        pairs = pd.read_csv(given, dtype={"user": str, "item": str})
        write_csv(out, predictor.predict(pairs))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser("python -m talking_models.predictor", description=__doc__)
    parser.add_argument("models", help="a models.safetensors of a run")
    parser.add_argument("given", help="a CSV file with columns user and item, or a folder")
    parser.add_argument("out", help="the CSV file to write")
    options = parser.parse_args(arguments)
    try:
        run(options.models, options.given, options.out)
    except (SourceError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
