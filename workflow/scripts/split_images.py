"""Rule split_images: fit, minival and eval of an image data set."""

from talking_models.data.vision import split
from talking_models.job import start

start(snakemake)
split(snakemake.wildcards.dataset, snakemake.params.minival, dict(snakemake.output.items()))
