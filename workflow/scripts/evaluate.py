"""Rules evaluate_*: predictions and metrics of one experiment on every task of its data set."""

from talking_models.running.job import start
from talking_models.evidence.predict import run

log = start(snakemake)
files, made, params = snakemake.input, snakemake.output, snakemake.params
models = [*files.models] * (len(files.rows) // len(files.models))  # or one teacher for all tasks
for model, rows, predictions, metrics in zip(
    models, files.rows, made.predictions, made.metrics, strict=True
):
    run(
        model,
        rows,
        files.item_table,
        seeds=params.seeds,
        about=params.about,
        names=params.metrics,
        predictions=predictions,
        metrics=metrics,
    )
    log.info("%s: done", predictions)
