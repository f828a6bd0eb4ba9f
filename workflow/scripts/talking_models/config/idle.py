"""Settings of the package's methods that have no effect beside others.

They stand here and not in the methods' files, which training jobs are made of: a job would run
again for a word.
"""

from collections.abc import Mapping
from typing import Any


def idle(method: str, settings: Mapping[str, Any], family: str, others: int) -> dict[str, str]:
    """What has no effect, by name, and why: words that go on from there.

    Args:
        settings: all that the method has.
        family: of the student, `ratings` or `images`.
        others: how many teachers and peers there are.
    """
    found: dict[str, str] = {}
    if method in ("td", "group"):
        found |= _of_talking(settings)
    if method == "group" and others < 2:
        found["replies"] = "beside one teacher or peer, who gives one reply"
    if method == "hybrid" and settings["gate"] == "off":
        found["phi"] = "beside gate off"
    if family == "ratings":
        words = "on ratings, which have no classes"
        found |= dict.fromkeys({"temperature", "inter"} & settings.keys(), words)
    return found


def _of_talking(settings: Mapping[str, Any]) -> dict[str, str]:
    rounds, w1, w2, w3 = (settings[key] for key in ("rounds", "w1", "w2", "w3"))
    found: dict[str, str] = {}
    if rounds < 2:
        found["target"] = f"beside rounds {rounds}: the first asks with the original state"
    if not rounds:
        found |= dict.fromkeys(("w1", "noise", "replies"), "beside rounds 0")
    if not w1:
        found |= dict.fromkeys(("rounds", "noise", "target", "replies"), f"beside w1 {w1}")
    if not w2:
        found["sc_mode"] = f"beside w2 {w2}"
        if not w3:
            found["consistency_until_step"] = f"beside w2 {w2} and w3 {w3}"
    return found
