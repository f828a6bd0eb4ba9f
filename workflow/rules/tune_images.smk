# Tuning on images: as on ratings, but that a trial is a job of its own.
#
# Needs: data.smk's fit and val slices; models.smk's teachers, states.smk's answers of theirs.
# Makes: {RESULTS}/{data}/{split}/tuning/{experiment}/
#            trial{trial}.csv  a trial's rows of curves.csv; of one that diverged none
#            and what tune.smk makes of ratings, but for a journal


use rule tune as try_images with:
    input:
        unpack(or_stop(PLAN.image_search_inputs)),
        **{
            slice: f"{RESULTS}/{{data}}/{{split}}/{ALL}/slices/{slice}.yaml"
            for slice in TRAIN_SLICES
        },
    output:
        curves=f"{TUNING}/trial{{trial}}.csv",
    log:
        f"{LOGS}/{{data}}/{{split}}/try_images/{{experiment}}/trial{{trial}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/try_images/{{experiment}}/trial{{trial}}.tsv"
    wildcard_constraints:
        data=one_of(IMAGES),
        trial=r"\d+",
    conda:
        PLAN.image_environment
    container:
        image(PLAN.image_step)
    threads: PLAN.image_threads * CONFIG.device.devices
    resources:
        **PLAN.device(CONFIG.device.devices),
        mem_mb=per_attempt(16000),
        runtime=DAY,  # a trial that was killed goes on from its checkpoint
    params:
        # a longer list leaves this trial what it is
        search=lambda wildcards: {
            key: value for key, value in PLAN.search(wildcards).items() if key != "trials"
        },
        code=lambda wildcards: fingerprint(
            *PLAN.search_code("images", wildcards.data, wildcards.experiment)
        ),


use rule tune as tune_images with:
    input:
        trials=lambda wildcards: expand(
            f"{TUNING}/trial{{trial}}.csv",
            trial=range(PLAN.image_trials(wildcards)),
            allow_missing=True,
        ),
    log:
        f"{LOGS}/{{data}}/{{split}}/tune_images/{{experiment}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/tune_images/{{experiment}}.tsv"
    wildcard_constraints:
        data=one_of(IMAGES),
    conda:
        PLAN.image_environment
    container:
        image(PLAN.image_step)
    threads: 1
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=lambda wildcards: fingerprint(
            "talking_models.tuning.choose",
            *PLAN.search_code("images", wildcards.data, wildcards.experiment),
        ),
