"""Rule tune: a search on the folds of the training rows."""

from pathlib import Path

from talking_models.running.job import start
from talking_models.tuning.jobs import configs_of_tasks, search
from talking_models.tuning.space import grid, grid_spaces, spaces, trials

log = start(snakemake)
params, files = snakemake.params, dict(snakemake.output.items())
given = dict(snakemake.input.items())
teachers = {id: given[f"teacher{i}"] for i, id in enumerate(params.config["teachers"])}
searched = spaces(params.config["method"], params.own, training=not given["chosen"])
ablation = bool(params.choose)
configs = configs_of_tasks(params.config, params.tasks["tasks"], given["chosen"], ablation)
search(
    rows=snakemake.input.rows,
    items=snakemake.input.item_table,
    **params.tasks,
    configs=configs,
    trials=grid(params.choose)
    or trials(params.config, params.search["trials"], searched, params.seed),
    spaces=grid_spaces(params.choose) if ablation else searched,
    search=params.search,
    teachers=teachers,
    journal=Path(files["curves"]).with_name("journal.log"),
    code=params.scored,
    about=params.about,
    begun=params.config,
    outputs=files,
    log=log,
)
