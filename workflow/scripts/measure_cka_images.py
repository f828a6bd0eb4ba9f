"""Rule measure_cka_images: linear CKA of one experiment's students of images with a teacher."""

from talking_models.running.job import arguments, start
from talking_models.evidence.cka_images import run

if __name__ == "__main__":
    start(snakemake)
    run(experiment=snakemake.wildcards.experiment, **arguments(snakemake))
