"""Markdown tables as HTML pages that need nothing beside them: reports show these, not Markdown."""

import html as text
import re
from pathlib import Path

from markdown_it import MarkdownIt

from talking_models.io import write_text

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 1.5rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.1rem; }
p, li { max-width: 60rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: left; }
th { border-bottom: 2px solid #444; } td { border-bottom: 1px solid #ddd; }
td[style*="right"] { white-space: nowrap; }  /* numbers stay in one piece */
tr:nth-child(even) td { background: #f6f6f6; }
"""


def run(md: str | Path, html: str | Path) -> None:
    """From a Markdown file to a whole HTML document; HTML in the text is shown, not run."""
    markdown = Path(md).read_text(encoding="utf-8")
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    heading = re.search(r"^# (.+)$", markdown, re.MULTILINE)
    write_text(
        html,
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{text.escape(heading[1] if heading else 'Table')}</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n{reader.render(markdown)}</body>\n</html>\n",
    )
