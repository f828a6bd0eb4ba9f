"""Prepare a data set with the unmodified builder of TensorFlow Datasets. Needs TensorFlow.

Imports nothing but the standard library until it runs, so that it works in an environment that
holds TensorFlow and TFDS alone (requirements-tfds.txt).
"""

from __future__ import annotations

import logging
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from talking_models.errors import SourceError, explained

log = logging.getLogger(__name__)

HOST = "https://files.grouplens.org/datasets/movielens/"


def probe(url: str = HOST, seconds: float = 5.0) -> str | None:
    """Why the server at `url` cannot be reached; None if it answers, with an error page too."""
    try:
        request = urllib.request.Request(url, method="HEAD")
        urllib.request.urlopen(request, timeout=seconds).close()
    except urllib.error.HTTPError:
        pass
    except (OSError, ValueError) as error:
        return f"{url} cannot be reached: {getattr(error, 'reason', error)}"
    return None


def prepare(
    name: str, data_dir: str | Path, zip_path: str | Path | None = None, trust_zip: bool = False
) -> Path:
    """Prepare a data set as array_record under `data_dir`; return its folder.

    Args:
        name: `movielens/<variant>-ratings`, or an image classification set; of these, what TFDS
            cannot download (ImageNet) is looked for in `data_dir`/downloads/manual.
        data_dir: where TFDS keeps prepared data sets.
        zip_path: of MovieLens the original archive (ml-100k.zip and so on), for want of a network.
        trust_zip: accept an archive whose bytes are not those that TFDS knows.

    Raises:
        SourceError: no such set, or one without image and label; no such archive, or not the known
            one; the server is out of reach, or the builder failed. Of MovieLens, downloads and
            half-made files are removed; what was prepared before stays.
    """
    movielens, manual = name.startswith("movielens/"), Path(data_dir, "downloads", "manual")
    advice = f"check the name and the network; files to be got by hand belong into {manual}"
    if movielens:
        advice = (
            f"get the archive from {HOST} elsewhere, and pass it with --zip or name it as the data "
            "set's `archive`, which needs no TFDS"
        )
        if zip_path is None and (said := probe()):
            raise SourceError(f"{name} cannot be downloaded", f"{HOST} answers", said, advice)
    if zip_path is not None and not Path(zip_path).is_file():
        raise SourceError(f"{zip_path} cannot be read", "an archive", "no such file", advice)

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
        if zip_path is not None:
            manual = _accepted(builder, Path(zip_path), trust_zip, Path(work, "manual"))
        builder.download_and_prepare(
            download_dir=f"{work}/down" if movielens else None,
            download_config=tfds.download.DownloadConfig(manual_dir=str(manual)),
        )
    return Path(str(builder.data_dir))


def _accepted(builder: Any, zip_path: Path, trust: bool, folder: Path) -> Path:
    """`folder` with the archive where TFDS looks for it, once its bytes are known or trusted."""
    from tensorflow_datasets.core.download import checksums

    url = builder.builder_config.download_url
    known, found = builder.url_infos[url], checksums.compute_url_info(str(zip_path))
    if (known.size, known.checksum) != (found.size, found.checksum):
        if not trust:
            raise SourceError(
                f"{zip_path} is not the archive that TFDS knows as {url}",
                f"{known.size} bytes with SHA-256 {known.checksum}",
                f"{found.size} bytes with SHA-256 {found.checksum}",
                "download it again; if it holds the original files in other bytes (a rebuilt "
                "archive), add --trust-zip: the content is checked again when it is read",
            )
        log.warning("%s is taken although its bytes are unknown to TFDS", zip_path)
        builder.url_infos[url] = found
    folder.mkdir()
    (folder / builder.url_infos[url].filename).symlink_to(zip_path.resolve())
    return folder
