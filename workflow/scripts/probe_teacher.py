"""Rule probe_teacher: the teacher's classifier."""

from talking_models.job import start
from talking_models.training.probe import run

start(snakemake)
run(**snakemake.input, config=snakemake.params.config, outputs=dict(snakemake.output.items()))
