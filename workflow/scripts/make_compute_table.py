"""Rule make_compute_table: time and memory of every step."""

from talking_models.running.job import arguments, start
from talking_models.report.compute import run

start(snakemake)
run(**arguments(snakemake))
