"""Rules train_teacher and train_student: all seeds of one model."""

from talking_models.job import start
from talking_models.training.movielens import Outputs, run
from talking_models.tuning.tuned import with_chosen

log = start(snakemake)
params = snakemake.params
run(
    rows=snakemake.input.rows,
    movies=snakemake.input.movies,
    config=with_chosen(params.config, snakemake.input.chosen, params.task, params.own),
    outputs=Outputs(*snakemake.output),
    log=log,
    teacher=next(iter(snakemake.input.get("teacher", [])), None),
)
