"""Rule keep_states: what a teacher answers to the training images."""

from talking_models.running.job import placed, start
from talking_models.training.image_teacher import keep

if __name__ == "__main__":
    start(snakemake)
    files, outputs = snakemake.input, dict(snakemake.output.items())
    keep(files.fit, files.teacher, placed(snakemake, snakemake.params.config), outputs)
