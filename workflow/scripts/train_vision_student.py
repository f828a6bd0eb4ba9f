"""Rule train_vision_student: one student."""

from talking_models.job import start
from talking_models.training.vision import Inputs, Outputs, run

if __name__ == "__main__":  # with several devices, each of their processes imports this file
    start(snakemake)
    run(
        inputs=Inputs(**{"probe": None} | dict(snakemake.input.items())),
        config=snakemake.params.config,
        code=snakemake.params.code,
        outputs=Outputs(**snakemake.output),
    )
