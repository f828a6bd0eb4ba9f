# A job that asks for a device and writes down what it sees of it, beside the workflow's own rules.


rule see_device:
    """What Slurm gives to a job that asks for a GPU of the type `fake`."""
    output:
        f"{RESULTS}/gpu.txt",
    log:
        f"{RESULTS}/logs/see_device.log",
    resources:
        gpu=1,
        gpu_model="fake",
    script:
        "see_device.py"


rule see_node:
    """Whether a job placed as the TPU profile places its jobs has the node for itself."""
    output:
        f"{RESULTS}/node.txt",
    log:
        f"{RESULTS}/logs/see_node.log",
    script:
        "see_device.py"
