"""Rule test_significance: every difference in the tables with its uncertainty."""

from talking_models.running.job import arguments, start
from talking_models.report.significance import run

start(snakemake)
run(**arguments(snakemake))
