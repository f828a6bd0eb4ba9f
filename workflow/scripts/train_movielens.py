"""Rules train_teacher and train_student: all seeds of one model."""

from talking_models.job import start
from talking_models.training.movielens import Outputs, run

log = start(snakemake)
run(
    rows=snakemake.input.rows,
    movies=snakemake.input.movies,
    config=snakemake.params.config,
    outputs=Outputs(*snakemake.output),
    log=log,
    teacher=next(iter(snakemake.input.get("teacher", [])), None),
)
