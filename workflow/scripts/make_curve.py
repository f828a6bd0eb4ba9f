"""Rule make_curve: a curve along splits, for programs and for people."""

from talking_models.running.job import arguments, start
from talking_models.report.curves import run

start(snakemake)
run(**arguments(snakemake))
