"""Rule probe_teacher: a teacher's classifier."""

from talking_models.running.job import start
from talking_models.training.probe import run

if __name__ == "__main__":
    start(snakemake)
    run(**snakemake.input, config=snakemake.params.config, outputs=dict(snakemake.output.items()))
