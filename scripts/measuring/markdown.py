"""Numbers and tables as the pages show them."""

from collections.abc import Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; of more than two columns all but the first are numbers."""
    lines = [heads, ["---", *["---:" if len(heads) > 2 else "---"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def three_digits(number: float) -> str:
    digits = len(f"{number:.0f}")
    return f"{round(number, 3 - digits):,.{max(0, 3 - digits)}f}"
