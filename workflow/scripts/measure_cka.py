"""Rules measure_cka_*: linear CKA of one experiment's students with their teacher."""

from talking_models.running.job import arguments, start
from talking_models.evidence.cka import run

start(snakemake)
run(experiment=snakemake.wildcards.experiment, **arguments(snakemake))
