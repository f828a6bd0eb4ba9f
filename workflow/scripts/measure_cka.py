"""Rule measure_cka: linear CKA of one experiment's students with the teacher."""

from talking_models.job import start
from talking_models.evaluation.cka import run

start(snakemake)
run(
    experiment=snakemake.wildcards.experiment,
    genres=snakemake.params.genres,
    students=snakemake.input.students,
    teacher=snakemake.input.teacher,
    rows=snakemake.input.rows,
    movies=snakemake.input.movies,
    csv=snakemake.output.csv,
)
