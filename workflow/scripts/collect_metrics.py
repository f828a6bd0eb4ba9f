"""Rule collect_metrics: the mean of every row of every table, for `dvc metrics`."""

from talking_models.running.job import arguments, start
from talking_models.report.scores import run

start(snakemake)
run(**arguments(snakemake))
