"""What the pages of docs/ say, for tests that run it word for word."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a language in a page of docs/, in its order."""
    text = (DOCS / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def plugins(page: str = "extending.md") -> dict[str, str]:
    """The files that a page puts into `my_methods`: the block that follows each name."""
    text = (DOCS / page).read_text()
    found = re.findall(r"`my_methods/(\w+\.py)`[^`]*:\n\n```python\n(.*?)^```$", text, re.S | re.M)
    # what stands between a name and its colon may hold code marks
    names = re.findall(r"`my_methods/(\w+\.py)`(?=[^\n]*:$)", text, re.M)
    assert [name for name, _ in found] == names, (names, [name for name, _ in found])
    return dict(found)
