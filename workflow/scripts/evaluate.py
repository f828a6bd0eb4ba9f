"""Rules evaluate_*: predictions and metrics of one experiment on every task of its data set."""

from talking_models.running.job import arguments, start
from talking_models.evidence.predict import run

log = start(snakemake)
run(**arguments(snakemake), log=log)
