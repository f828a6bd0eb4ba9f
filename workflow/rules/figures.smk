# Figures, for a paper's column and in print: PNG (200 dpi) and SVG.
#
# Needs: evaluation.smk's predictions, metrics and histories; results.smk's tables;
#        the trials of the search for settings, of this run or beside the committed choice.
# Makes: {RESULTS}/figures/{name}.png and .svg
#            forest  RMSE change against training from scratch; forest.csv has its numbers
#            rounds  RMSE by number of rounds
#            paper   our cells against the paper's
#            trials  validation score against number of trials
#            losses  TD's loss parts over training
#
# cka.smk makes one more.
# PLAN leaves out a figure whose experiments the configuration lacks.

BASE = MOVIELENS.format(variant=CONFIG.movielens.variant)


rule figures:
    """Every figure."""
    input:
        figures(),
    localrule: True


rule draw_forest:
    """Draw how each method changes the RMSE of the student from scratch, with intervals."""
    input:
        predictions=predictions_of(*PLAN.methods.values()),
    output:
        **drawing("forest", "RMSE against training from scratch"),
        csv=f"{FIGURES}/forest.csv",
    log:
        f"{RESULTS}/logs/draw_forest.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_forest.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        methods=PLAN.methods,
        scratch=PLAN.scratch,
        genres=list(GENRES.values()),
        code=fingerprint("talking_models.report.figures.forest"),
    script:
        "../scripts/draw_forest.py"


rule draw_rounds:
    """Draw the RMSE by number of rounds of interaction."""
    input:
        metrics=expand(
            f"{BASE}/students/{{experiment}}/{{task}}/metrics.csv",
            experiment=[*PLAN.rounds.values(), PLAN.scratch],
            task=GENRES,
        ),
    output:
        **drawing("rounds", "RMSE by number of rounds"),
    log:
        f"{RESULTS}/logs/draw_rounds.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_rounds.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(10),
    params:
        rounds=PLAN.rounds,
        scratch=PLAN.scratch,
        genres=list(GENRES.values()),
        code=fingerprint("talking_models.report.figures.rounds"),
    script:
        "../scripts/draw_rounds.py"


rule draw_paper:
    """Draw our numbers against the paper's, and how far both rank the methods alike."""
    input:
        tables=expand(f"{RESULTS}/tables/{{table}}.csv", table=PLAN.published),
    output:
        **drawing("paper", "Ours against the paper's"),
    log:
        f"{RESULTS}/logs/draw_paper.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_paper.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(10),
    params:
        code=fingerprint("talking_models.report.figures.paper"),
    script:
        "../scripts/draw_paper.py"


rule draw_trials:
    """Draw the best validation score by number of trials."""
    input:
        trials=PLAN.trials or [],
    output:
        **drawing("trials", "Validation score by number of trials"),
    log:
        f"{RESULTS}/logs/draw_trials.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_trials.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(10),
    params:
        methods=PLAN.searched,
        code=fingerprint("talking_models.report.figures.trials"),
    script:
        "../scripts/draw_trials.py"


rule draw_losses:
    """Draw the parts of TD's loss and their gradient norms over training."""
    input:
        histories=expand(
            f"{BASE}/students/{{experiment}}/{{task}}/history.csv",
            experiment=PLAN.td,
            task=GENRES,
        ),
    output:
        **drawing("losses", "TD's loss parts over training"),
    log:
        f"{RESULTS}/logs/draw_losses.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_losses.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(10),
    params:
        code=fingerprint("talking_models.report.figures.losses"),
    script:
        "../scripts/draw_losses.py"
