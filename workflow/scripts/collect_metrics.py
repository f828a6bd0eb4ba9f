"""Rule collect_metrics: the mean RMSE of every row of every table, for `dvc metrics`."""

from talking_models.job import start
from talking_models.report.scores import run

start(snakemake)
run(tables=snakemake.params.tables, csvs=snakemake.input, out=snakemake.output[0])
