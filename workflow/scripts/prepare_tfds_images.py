"""Prepare an image data set with TensorFlow Datasets; a command by itself, in
requirements-tfds.txt's environment:

    python workflow/scripts/prepare_tfds_images.py --dataset cifar10 --data-dir DIR

Then `TFDS_DATA_DIR=DIR snakemake ...` reads it, without TensorFlow.
"""

from __future__ import annotations

import argparse
import sys

from talking_models.data.tfds_prepare import prepare
from talking_models.errors import SourceError


def main() -> None:
    """Parse the command line, prepare, print the folder; exit status 1 and the reason if not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", required=True, help="a TFDS name: cifar10, imagenet2012, ...")
    parser.add_argument("--data-dir", required=True, help="where TFDS keeps prepared data sets")
    arguments = parser.parse_args()
    try:
        folder = prepare(arguments.dataset, arguments.data_dir)
    except SourceError as error:
        sys.exit(f"prepare_tfds_images: {error}")
    print(f"prepared {folder}")


if __name__ == "__main__":
    main()
