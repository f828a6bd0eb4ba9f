"""Rules take_choice_*: a committed choice, as the searches after it read one."""

from talking_models.running.job import start
from talking_models.config.choices import read_choice
from talking_models.io import write_yaml

start(snakemake)
chosen = read_choice(snakemake.input[0]).chosen
write_yaml(snakemake.output[0], {task: change.model_dump() for task, change in chosen.items()})
