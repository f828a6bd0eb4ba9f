# The report: what a run costs, tables as pages that a browser shows, and what made them all.
#
#   make report
#
# Needs: all tables as Markdown; the records that all jobs leave beside their logs
#        (talking_models.running.provenance).
# Makes: {RESULTS}/tables/compute.md and .csv
#        {RESULTS}/pages/{page}.html, a table each; `snakemake --report` shows them beside the figures
#        {RESULTS}/provenance.csv, one row per job
#        {RESULTS}/provenance.rst, their summary, which the report's front page includes


rule images:
    """Every table of images, as a file and as a page of the report, and what their students share."""
    input:
        [
            f"{RESULTS}/pages/{id}.html"
            for id, table in CONFIG.tables.items()
            if CONFIG.family(table.data[0]) == "images"
        ],
        [f"{RESULTS}/figures/ckaimages.{f}" for f in ("png", "svg") if PLAN.likeness("images")],
    localrule: True


rule make_compute_table:
    """Add up what the jobs cost, from their records."""
    input:
        files=PLAN.measured,
    output:
        csv=report(
            f"{RESULTS}/tables/compute.csv",
            caption="../report/compute.rst",
            category="Data",
            labels={"table": "compute"},
        ),
        md=f"{RESULTS}/tables/compute.md",
    log:
        f"{LOGS}/make_compute_table.log",
    benchmark:
        f"{BENCHMARKS}/make_compute_table.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(5),
    params:
        results=lambda wildcards, output: str(Path(output.csv).parents[1]),
        teachers=[id for id in CONFIG.models if CONFIG.is_teacher(id)],
        facts=CONFIG.paper,
        stamp=PLAN.stamp(*PLAN.tables_of_all),
        code=fingerprint("talking_models.report.compute"),
    script:
        "../scripts/make_compute_table.py"


rule make_page:
    """Set a Markdown table as a page that the report can show."""
    input:
        md=lambda wildcards: PLAN.markdown(wildcards.page),
    output:
        html=report(
            f"{RESULTS}/pages/{{page}}.html",
            caption="../report/page.rst",
            category="Tables",
            labels=lambda wildcards: {
                "table": wildcards.page,
                "shows": PLAN.shows(wildcards.page),
            },
        ),
    log:
        f"{LOGS}/make_page/{{page}}.log",
    benchmark:
        f"{BENCHMARKS}/make_page/{{page}}.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(5),
    params:
        about=lambda wildcards: PLAN.shows(wildcards.page),
        code=fingerprint("talking_models.report.pages"),
    script:
        "../scripts/make_page.py"


rule collect_provenance:
    """Collect what made every result: commit, configuration, data, code, packages, machine, time."""
    input:
        files=[*PLAN.results, *expand(f"{RESULTS}/pages/{{page}}.html", page=PLAN.pages)],
    output:
        csv=report(
            f"{RESULTS}/provenance.csv",
            caption="../report/provenance.rst",
            category="Data",
            labels={"table": "provenance"},
        ),
        rst=f"{RESULTS}/provenance.rst",
    log:
        f"{LOGS}/collect_provenance.log",
    benchmark:
        f"{BENCHMARKS}/collect_provenance.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(5),
    params:
        results=lambda wildcards, output: str(Path(output.csv).parent),
        code=fingerprint("talking_models.report.provenance"),
    script:
        "../scripts/collect_provenance.py"
