"""Rules train_vision_student and finetune_teacher: one model by one method, with one seed."""

from pathlib import Path

from talking_models.job import start
from talking_models.training.vision import Inputs, Outputs, run

if __name__ == "__main__":  # with several devices, each of their processes imports this file
    start(snakemake)
    run(
        inputs=Inputs(**dict(snakemake.input.items())),
        config=snakemake.params.config,
        code=snakemake.params.code,
        outputs=Outputs(**snakemake.output, board=Path(snakemake.log[0]).with_suffix("")),
    )
