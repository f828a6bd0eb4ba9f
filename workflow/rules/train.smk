# Training: a teacher on all rows, a student for each experiment and task; on ratings or on images.
#
# Needs: data.smk's slices and items; models.smk's weights and classifiers, states.smk's answers;
#        tune.smk's choices where a run searches.
# Makes: {RESULTS}/{data}/{split}/{task}/{experiment}/, a teacher's id being an experiment on `all`
#            models.safetensors  all seeds' models, as one stack
#            history.csv         loss parts over training
#            config.yaml         the effective settings
#        of images, in a folder seed{seed}/ for each seed, also
#            throughput.csv      images per second
#        of ratings, where a curve shows it, also
#            cost.csv            what a student weighs, and what its training takes
#
# Training reads fit and val rows and nothing later. A killed image job goes on from
# checkpoint.safetensors in its folder; what it logs for TensorBoard lies beside its log.


rule train:
    """Train the models of one experiment on one task of ratings, all seeds at once."""
    input:
        rows=expand(f"{SLICES}/{{slice}}.parquet", slice=TRAIN_SLICES, allow_missing=True),
        item_table=f"{CANONICAL}/items.parquet",
        teachers=or_stop(PLAN.teachers),
        chosen=PLAN.chosen,
    output:
        **{name: f"{JOB}/{file}" for name, file in MODELS.items()},
    log:
        f"{LOGS}/{{data}}/{{split}}/train/{{experiment}}/{{task}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/train/{{experiment}}/{{task}}.tsv"
    wildcard_constraints:
        data=one_of(RATINGS),
    conda:
        "../../envs/movielens.yaml"
    container:
        image("movielens")
    threads: 1
    resources:
        mem_mb=PLAN.memory_of_training,
        runtime=PLAN.minutes_of_training,
    params:
        config=PLAN.training_config,
        own=lambda wildcards: PLAN.own(wildcards.experiment),
        code=lambda wildcards: fingerprint(
            *PLAN.training_code(wildcards.experiment, wildcards.data)
        ),
    script:
        "../scripts/train.py"


# Count what that takes, on what training reads.
use rule train as measure_cost with:
    output:
        csv=f"{JOB}/cost.csv",
    log:
        f"{LOGS}/{{data}}/{{split}}/measure_cost/{{experiment}}/{{task}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/measure_cost/{{experiment}}/{{task}}.tsv"
    resources:
        mem_mb=PLAN.memory_of_training,
        runtime=per_attempt(10, per_mb=1),
    params:
        code=lambda wildcards: fingerprint(
            "talking_models.evidence.cost",
            *PLAN.training_code(wildcards.experiment, wildcards.data),
        ),


use rule train as train_images with:
    input:
        unpack(or_stop(PLAN.image_inputs)),
        fit=f"{SLICES}/fit.yaml",
        val=f"{SLICES}/val.yaml",
    output:
        **{name: f"{JOB}/seed{{seed}}/{file}" for name, file in MODELS.items()},
        throughput=f"{JOB}/seed{{seed}}/throughput.csv",
    log:
        f"{LOGS}/{{data}}/{{split}}/train_images/{{experiment}}/{{task}}/seed{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/train_images/{{experiment}}/{{task}}/seed{{seed}}.tsv"
    wildcard_constraints:
        data=one_of(IMAGES),
    conda:
        PLAN.image_environment
    container:
        image(PLAN.image_step)
    threads: PLAN.image_threads * CONFIG.device.devices
    resources:
        **PLAN.device(CONFIG.device.devices),
        mem_mb=per_attempt(16000),
        runtime=720,  # a job that was killed goes on from its checkpoint
