"""Rule evaluate_vision_student: predictions and accuracy on the eval slice."""

from talking_models.job import start
from talking_models.evaluation.vision import run

start(snakemake)
run(**snakemake.input, config=snakemake.params.config, **snakemake.output)
