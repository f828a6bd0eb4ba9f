"""Rule measure_sizes: what students and teachers weigh and cost."""

from talking_models.running.job import arguments, start
from talking_models.report.sizes import run

start(snakemake)
run(**arguments(snakemake))
