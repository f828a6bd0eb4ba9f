"""What came out of a run, used: predictions for a table of pairs, or for pictures.

python -m talking_models.predictor MODELS PAIRS.csv OUT.csv
python -m talking_models.predictor MODELS PICTURES/ OUT.csv
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import torch
from PIL import Image

from talking_models.data.canonical import MISSING
from talking_models.data.features import encode
from talking_models.data.fields import categories_of
from talking_models.data.folder import pictures
from talking_models.data.images import rgb
from talking_models.data.ratings import RatingsSettings
from talking_models.data.reading import read_table
from talking_models.errors import SourceError, explained
from talking_models.io import write_csv
from talking_models.models import checkpoint
from talking_models.models.files import IMAGES, kind_of, load_trained
from talking_models.training.batches import RatingData, predict_all

BATCH = 64  # pictures at once


class RatingPredictor:
    """A stack of models of ratings; the prediction is their mean over seeds."""

    def __init__(self, trained: checkpoint.Checkpoint) -> None:
        self.trained, self.model = trained, trained.stack()

    def predict(self, given: pd.DataFrame) -> pd.DataFrame:
        """Ratings of pairs. `SourceError` if a column is missing, or an id.

        Args:
            given: columns user and item, ids as in the training data; a user or an item that was
                not in it is an unknown one. Of such an item, `title` (text) and `categories`
                (as files of items have them) say more, if they are there.

        Returns:
            `given` with the columns prediction, in the ratings' unit and not clipped to their
            scale, and deviation, the standard deviation over seeds (NaN for one).
        """
        absent = [name for name in ("user", "item") if name not in given]
        if absent:
            raise _refused(f"no column {', '.join(absent)}")
        rows, words = given.reset_index(drop=True).assign(rating=0.0), self.trained.vocabulary
        for column, known in (("user", words.users), ("item", words.items)):
            rows[column] = _ids(rows[column], isinstance(known[0], str))
        if rows.empty:
            return given.assign(prediction=[], deviation=[])
        data = RatingData(encode(rows, self._listing(rows), words))
        found = predict_all(self.model, data, len(self.trained.seeds)).double()
        deviation = found.std(0).numpy() if len(found) > 1 else float("nan")
        return given.assign(prediction=found.mean(0).numpy(), deviation=deviation)

    def _listing(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The items' table of the training, with what `rows` say of others."""
        known = pd.DataFrame({"item": self.trained.vocabulary.items, **self.trained.listing})
        new = rows[~rows["item"].isin(known["item"])].drop_duplicates("item")
        said = {"title": "", "categories": pd.Series([[] for _ in new.index], new.index)}
        new = new.assign(**{name: new.get(name, value) for name, value in said.items()})
        new["title"] = new["title"].astype(object).fillna("").astype(str)
        own = [categories_of(value) for value in new["categories"]]
        if None in own:
            value = new["categories"].iloc[own.index(None)]
            raise _refused(f"{value!r}, no names as `a|b` or a list, in the column categories")
        new["categories"] = pd.Series(own, new.index, dtype=object)
        return pd.concat([known, new[list(known)]]).sort_values("item", ignore_index=True)


def _refused(found: str) -> SourceError:
    return SourceError(
        "these pairs cannot be predicted",
        expected="columns user and item with an id in each row, as the training data has them",
        found=found,
        advice="rename or correct them",
    )


def _ids(ids: pd.Series, text: bool) -> pd.Series:
    """Ids as text or as whole numbers, as the training had them."""
    numbers, found = pd.to_numeric(ids, errors="coerce"), ids.astype(str).str.strip()
    missing = ids.isna() | found.isin(MISSING)
    wrong = missing if text else numbers % 1 != 0  # so is that of no number
    if wrong.any():
        row = int(wrong.idxmax())
        what = "a missing id" if missing[row] else f"{ids[row]!r}, no whole number,"
        raise _refused(f"{what} in the column {ids.name}, row {row + 1}")
    return found if text else numbers.astype("int64")


class ImagePredictor:
    """A model of images, as a training job left it in a file."""

    def __init__(self, path: str | Path) -> None:
        self.model, self.look, about = load_trained(path)
        self.classes = about["classes"]

    def predict(self, given: Iterable[str | Path]) -> pd.DataFrame:
        """Columns file, prediction (a class's name), probability; or a SourceError."""
        from talking_models.training.loader import plain  # torchvision comes with it

        files, found = list(map(str, given)), []
        for start in range(0, len(files), BATCH):
            images = []
            for file in files[start : start + BATCH]:
                with explained(f"{file} cannot be read", "a whole picture", "leave it out"):
                    images.append(plain(self.look)(Image.fromarray(rgb(Image.open(file)))))
            with torch.no_grad():
                output = self.model(SimpleNamespace(images=torch.stack(images))).output
            share, label = output.softmax(-1).max(-1)
            found += zip([self.classes[i] for i in label], share.tolist(), strict=True)
        frame = pd.DataFrame(found, index=files, columns=["prediction", "probability"])
        return frame.rename_axis("file").reset_index()


Predictor = RatingPredictor | ImagePredictor


def load(path: str | Path) -> Predictor:
    """See `talking_models.load`."""
    kind = kind_of(path)
    if kind == checkpoint.KIND:
        return RatingPredictor(checkpoint.Checkpoint.load(path))
    if kind == IMAGES:
        return ImagePredictor(path)
    raise ValueError(f"{path} holds {kind or 'no model of ours'}, no trained student or teacher")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser("python -m talking_models.predictor", description=__doc__)
    for name in ("models", "given", "out"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.given.is_dir():
            given = sorted(pictures(options.given))
        else:
            path = str(options.given)
            settings = RatingsSettings(kind="ratings", ratings=path).model_dump(mode="json")
            given = read_table(path, settings)
        write_csv(options.out, load(options.models).predict(given))
    except (SourceError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
