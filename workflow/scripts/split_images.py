"""Rule split_images: fit, minival and eval of an image data set."""

from talking_models.job import start
from talking_models.data.vision import split

start(snakemake)
split(snakemake.wildcards.dataset, snakemake.params.minival, dict(snakemake.output.items()))
