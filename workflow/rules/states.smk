# States: what a teacher of images answers to the training images, so that no job asks it again.
#
# Needs: data.smk's slices; models.smk's weights and probes, or train.smk's teachers.
# Makes: {RESULTS}/{data}/{split}/all/{model}/states{flip}/{part}.npy
#            of the images as they are (flip 0), or mirrored, too (flip 1)
#        {RESULTS}/{data}/{split}/all/{model}/seed{seed}/states{flip}/{part}.npy
#            of a teacher trained here, beside its models
#
# Not `temp`: where they are gone and one new job needs them, Snakemake would train all that they
# once taught again.


rule keep_states:
    """Ask a teacher all training images once, as they are and mirrored."""
    input:
        teacher=lambda wildcards: PLAN.model_files(
            wildcards.data, wildcards.split, ALL, wildcards.model
        ),
        fit=f"{SLICES}/fit.yaml",
    output:
        **{part: f"{TASK}/{{model}}/states{{flip}}/{part}.npy" for part in PARTS},
    log:
        f"{LOGS}/{{data}}/{{split}}/keep_states{{flip}}/{{task}}/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/keep_states{{flip}}/{{task}}/{{model}}.tsv"
    wildcard_constraints:
        data=one_of(IMAGES),
        flip="[01]",
    conda:
        PLAN.image_environment
    container:
        image(PLAN.image_step)
    threads: PLAN.image_threads
    resources:
        **PLAN.device(),
        mem_mb=per_attempt(8000),
        runtime=per_attempt(240),
    params:
        config=lambda wildcards: {
            "settings": CONFIG.form(wildcards.model),
            "device": CONFIG.device.of_results(devices=1),
            "states_gb": CONFIG.device.states_gb,
            "flip": wildcards.flip == "1",
        },
        code=lambda wildcards: fingerprint(
            "talking_models.training.image_teacher",
            *PLAN.code_of_models(wildcards.model),
            *PLAN.code_of_data(wildcards.data),
        ),
    script:
        "../scripts/keep_states.py"


use rule keep_states as keep_trained_states with:
    input:
        teacher=lambda wildcards: PLAN.model_files(
            wildcards.data, wildcards.split, ALL, wildcards.model, wildcards.seed
        ),
        fit=f"{SLICES}/fit.yaml",
    output:
        **{part: f"{TASK}/{{model}}/seed{{seed}}/states{{flip}}/{part}.npy" for part in PARTS},
    log:
        f"{LOGS}/{{data}}/{{split}}/keep_states{{flip}}/{{task}}/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/keep_states{{flip}}/{{task}}/{{model}}/seed{{seed}}.tsv"
