"""Rules evaluate_*: predictions and metrics of one experiment on every task of its data set."""

from talking_models.running.job import start
from talking_models.evidence.predict import run

log = start(snakemake)
models, tasks = snakemake.input.models, snakemake.input.rows
if len(models) == 1:  # one teacher for all tasks
    models = [*models] * len(tasks)
for files in zip(
    models, tasks, snakemake.output.predictions, snakemake.output.metrics, strict=True
):
    run(*files, snakemake.input.item_table, snakemake.params.about, snakemake.params.metrics)
    log.info("%s: done", files[2])
