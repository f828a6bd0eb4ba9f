"""The report of a finished run, opened in a real browser (skipped where there is no Chromium).

To look at it yourself: `make report`, then open results/report.html. Without a screen, Chromium
draws a page with `--screenshot=FILE` in place of `--dump-dom` below.
"""

import json
import re
import shutil
import subprocess

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--virtual-time-budget=30000",  # milliseconds of the page's own time, which passes faster
]
# Does what a reader does, by the report's own functions: opens each category and each result, and
# writes down what was there to see.
READER = """
<script>
const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
const pause = () => new Promise((done) => setTimeout(done, 200));
const back = () => (app.setView({navbarMode: "menu"}), pause());
window.addEventListener("load", async () => {
  const seen = {categories: {}, results: {}, errors};
  await pause();
  seen.start = document.querySelector("#app").innerText;
  for (const category of Object.keys(categories)) {
    await back();
    app.showCategory(category);
    await pause();
    seen.categories[category] = document.querySelector("#app").innerText;
  }
  for (const [path, result] of Object.entries(results)) {
    await back();
    app.showResultInfo(path);
    await pause();
    const content = {"text/html": "html"}[result.mime_type] ??
      (result.mime_type.startsWith("image/") ? "img" : undefined);
    if (content) app.setView({content, contentPath: result.data_uri});
    await pause();
    const images = [...document.querySelectorAll("#app img")];
    const image = images.find((image) => image.src === result.data_uri);
    seen.results[path] = {
      caption: result.caption,
      labels: result.labels,
      text: document.querySelector("#app").innerText,
      width: content === "img" ? image.naturalWidth : null,
      page: content === "html" ? await (await fetch(result.data_uri)).text() : null,
      frame: document.querySelector("#app iframe") !== null,
    };
  }
  const note = document.createElement("pre");
  note.id = "seen";
  note.textContent = JSON.stringify(seen);
  document.body.replaceChildren(note);
});
</script>
"""
FIGURES = {"forest", "paper", "losses", "cka", "claims"}
TABLES = {"table3", "talk", "significance", "claims", "sizes", "compute"}


@pytest.fixture(scope="module")
def seen(finished, tmp_path_factory):
    """What the browser saw."""
    if not CHROMIUM:
        pytest.skip("no Chromium")
    folder = tmp_path_factory.mktemp("report")
    space = finished.copy(folder / "repository")
    said = space.make("--report", "results/report.html")
    assert "Report created" in said
    page = folder / "report.html"
    page.write_text((space.path / "results/report.html").read_text() + READER)
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    result = subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    note = re.search(r'<pre id="seen">(.*?)</pre>', result.stdout, re.DOTALL)
    assert note, result.stdout[-2000:]
    text = note[1]
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&amp;", "&")):
        text = text.replace(entity, character)
    return json.loads(text)


def by_name(seen, suffix):
    """Results of that kind of file, by their name."""
    return {
        path.rsplit("/", 1)[-1].removesuffix(suffix): result
        for path, result in seen["results"].items()
        if path.endswith(suffix)
    }


def test_it_opens_without_errors_and_says_what_it_is(seen):
    assert seen["errors"] == []
    assert "Talking Models" in seen["start"]
    for what in ("Commit", "Configuration", "Data", "Library", "numpy 2", "cores", "of CPU time"):
        assert what in seen["start"]
    assert set(seen["categories"]) == {"Figures", "Tables", "Data"}


def test_it_has_every_figure_and_table(seen):
    assert set(by_name(seen, ".png")) == set(by_name(seen, ".svg")) == FIGURES
    assert set(by_name(seen, ".html")) == TABLES
    assert set(by_name(seen, ".csv")) == TABLES | {"provenance"}


def test_each_is_listed_by_its_labels_and_has_a_caption(seen):
    lists = {"png": "Figures", "svg": "Figures", "html": "Tables", "csv": "Data"}
    for path, result in seen["results"].items():
        listed = seen["categories"][lists[path.rsplit(".", 1)[-1]]]
        for label in result["labels"].values():
            assert label in listed, path
        caption = " ".join(re.sub(r"<[^>]+>", " ", result["caption"]).split())
        assert len(caption) > 40, path
        assert "{{" not in caption
        shown = " ".join(result["text"].split())
        assert caption[:20] in shown, path
        assert "System Message" not in result["caption"], "the caption is no valid rst"


def test_figures_are_drawn(seen):
    for name, result in by_name(seen, ".png").items():
        assert result["width"] > 400, name
    for name, result in by_name(seen, ".svg").items():
        assert result["width"] > 100, name


def test_tables_are_pages_with_tables(seen):
    for name, result in by_name(seen, ".html").items():
        assert result["frame"], name
        assert "<table>" in result["page"], name
        assert "This is a trial of the workflow" in result["page"], name
    assert "± " in by_name(seen, ".html")["table3"]["page"]
