"""Rule evaluate_vision_student: predictions and accuracy on the eval slice."""

from talking_models.evaluation.vision import run
from talking_models.job import start

start(snakemake)
run(**snakemake.input, config=snakemake.params.config, **snakemake.output)
