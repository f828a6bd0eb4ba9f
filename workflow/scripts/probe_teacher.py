"""Rule probe_teacher: a teacher's classifier."""

from talking_models.running.job import placed, start
from talking_models.training.probe import run

if __name__ == "__main__":
    start(snakemake)
    config = placed(snakemake, snakemake.params.config)
    run(**snakemake.input, config=config, outputs=dict(snakemake.output.items()))
