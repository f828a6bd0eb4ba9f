"""Rules see_device and see_node: what Slurm says of the job that this runs in."""

import os
import subprocess
from pathlib import Path

job = os.environ["SLURM_JOB_ID"]
shown = subprocess.run(
    ["scontrol", "show", "job", "--details", job], check=True, capture_output=True, text=True
).stdout
Path(snakemake.output[0]).write_text(
    f"CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', 'none')}\n{shown}"
)
