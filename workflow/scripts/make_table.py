"""Rule make_table: one table, for programs and for people."""

from talking_models.running.job import arguments, start
from talking_models.report.tables import run

start(snakemake)
run(**arguments(snakemake))
