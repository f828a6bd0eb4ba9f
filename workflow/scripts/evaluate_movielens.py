"""Rules evaluate_students and evaluate_teacher: predictions and RMSE on every genre."""

from talking_models.job import start
from talking_models.evaluation.predict import run

log = start(snakemake)
models = snakemake.input.models
genres = snakemake.params.genres
if isinstance(models, str):  # one teacher for all genres
    models = [models] * len(genres)
for genre, checkpoint, rows, predictions, metrics in zip(
    genres,
    models,
    snakemake.input.rows,
    snakemake.output.predictions,
    snakemake.output.metrics,
    strict=True,
):
    experiment = snakemake.params.experiment
    run(experiment, genre, checkpoint, rows, snakemake.input.movies, predictions, metrics)
    log.info("%s on %s: done", experiment, genre)
