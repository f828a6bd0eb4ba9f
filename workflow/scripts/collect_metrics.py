"""Rule collect_metrics: the mean of every row of every table, for `dvc metrics`."""

from talking_models.running.job import start
from talking_models.report.scores import run

start(snakemake)
run(csvs=snakemake.input, out=snakemake.output[0])
