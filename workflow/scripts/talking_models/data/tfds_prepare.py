"""Prepare a data set with the unmodified builder of TensorFlow Datasets. Needs TensorFlow.

Imports nothing but the standard library until it runs, so that it works in an environment that
holds TensorFlow and TFDS alone (requirements-tfds.txt).
"""

import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from talking_models.errors import SourceError, explained

HOST = "https://files.grouplens.org/datasets/movielens/"
SECONDS = 5.0  # that it has to answer


def probe() -> str | None:
    """Why the server cannot be reached; None if it answers, with an error page too."""
    try:
        request = urllib.request.Request(HOST, method="HEAD")
        urllib.request.urlopen(request, timeout=SECONDS).close()
    except urllib.error.HTTPError:
        pass
    except (OSError, ValueError) as error:
        return f"{HOST} cannot be reached: {getattr(error, 'reason', error)}"
    return None


def prepare(name: str, data_dir: str | Path) -> Path:
    """Prepare a data set as array_record under `data_dir`; return its folder. `SourceError` if
    there is no such set, or one without image and label, the server is out of reach or the builder
    fails. Of MovieLens, downloads and half-made files are removed; what was prepared before stays.

    Args:
        name: `movielens/<variant>-ratings`, or an image classification set.
        data_dir: where TFDS keeps prepared data sets; in its folder downloads/manual lies what TFDS
            cannot download (ImageNet), or needs not (`ml-100k.zip` and so on, unchanged).
    """
    movielens, manual = name.startswith("movielens/"), Path(data_dir, "downloads", "manual")
    advice = f"check the name and the network; files to be got by hand belong into {manual}"
    if movielens:
        advice += "; or name MovieLens's archive as the data set's `archive`, which needs no TFDS"
        # TFDS itself would retry for more than three minutes.
        if not [*manual.glob("ml-*.zip")] and (said := probe()):
            raise SourceError(f"{name} cannot be downloaded", f"{HOST} answers", said, advice)

    # Not at the top: slow, and absent from the main environment.
    import tensorflow_datasets as tfds

    what, wanted = f"TFDS could not prepare {name}", f"its builder makes files in {data_dir}"
    # MovieLens's downloads and extracted files live in a folder that goes away in any case.
    temporary = tempfile.TemporaryDirectory(prefix="talking-models-tfds-")
    with temporary as work, explained(what, wanted, advice):
        builder = tfds.builder(name, data_dir=str(data_dir), file_format="array_record")
        known = set(builder.info.features)
        if not movielens and not {"image", "label"} <= known:
            what, wanted = f"{name} is no image classification set", "features image and label"
            raise SourceError(what, wanted, ", ".join(sorted(known)), "choose another data set")
        builder.download_and_prepare(
            download_dir=f"{work}/down" if movielens else None,
            download_config=tfds.download.DownloadConfig(manual_dir=str(manual)),
        )
    return Path(str(builder.data_dir))
