"""Rules fit_references_*: the reference lines of every task of a data set."""

from talking_models.running.job import arguments, start
from talking_models.evidence.references import run

log = start(snakemake)
run(**arguments(snakemake), log=log)
