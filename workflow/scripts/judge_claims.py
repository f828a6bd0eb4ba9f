"""Rule judge_claims: a verdict on each of the paper's claims."""

from talking_models.running.job import arguments, start
from talking_models.report.claims import run

start(snakemake)
run(**arguments(snakemake))
