"""Rules measure_cka_*: linear CKA of one experiment's students with their teacher."""

from talking_models.running.job import start
from talking_models.evidence.cka import run

start(snakemake)
run(
    experiment=snakemake.wildcards.experiment,
    students=snakemake.input.students,
    teacher=snakemake.input.teacher[0],
    rows=snakemake.input.rows,
    item_table=snakemake.input.item_table,
    csv=snakemake.output.csv,
    paired=snakemake.params.paired,
)
