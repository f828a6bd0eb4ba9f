"""Rule collect_metrics: the mean of every row of every table, for `dvc metrics`."""

from talking_models.running.job import start
from talking_models.report.tables import collect

start(snakemake)
collect(csvs=snakemake.input, out=snakemake.output[0])
