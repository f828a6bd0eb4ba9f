"""Prepare an image data set with the unmodified builder of TensorFlow Datasets. Needs TensorFlow.

Imports nothing but the standard library until it runs, so that it works in an environment that
holds TensorFlow and TFDS alone (requirements-tfds.txt).
"""

from __future__ import annotations

from pathlib import Path

from talking_models.errors import SourceError


def prepare(dataset: str, data_dir: str | Path) -> Path:
    """Prepare a classification set as array_record under `data_dir`; return its folder.

    Files that TFDS cannot download, such as ImageNet's, are looked for in
    `data_dir`/downloads/manual.

    Raises:
        SourceError: TFDS has no such data set, it has no image and label, or preparing it failed.
    """
    # Not at the top: slow, and absent from the main environment.
    import tensorflow_datasets as tfds

    manual = Path(data_dir) / "downloads" / "manual"
    try:
        builder = tfds.builder(dataset, data_dir=str(data_dir), file_format="array_record")
        known = set(builder.info.features)
        if {"image", "label"} <= known:
            config = tfds.download.DownloadConfig(manual_dir=str(manual))
            builder.download_and_prepare(download_config=config)
    except Exception as error:  # TFDS, TensorFlow and requests each raise kinds of their own
        raise SourceError(
            f"TFDS could not prepare {dataset}",
            expected=f"its builder makes array_record files in {data_dir}",
            found=f"{type(error).__name__}: {error}",
            advice=f"check the name and the network; files to be got by hand belong into {manual}",
        ) from error
    if not {"image", "label"} <= known:
        raise SourceError(
            f"{dataset} is no image classification set",
            expected="features named image and label",
            found=", ".join(sorted(known)),
            advice="choose another data set",
        )
    return Path(str(builder.data_dir))
