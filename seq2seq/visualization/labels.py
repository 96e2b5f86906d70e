"""How subword pieces and names are shown to a reader: labels, the fonts that have them, their room in a terminal."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

MARKS = ("Mn", "Me", "Mc", "Cf")  # the kinds of characters that are written on another one, or are invisible
UNKNOWN = "□"  # drawn in place of a character that no installed font has


def readable(pieces: Sequence[str]) -> list[str]:
    """Labels for sentencepiece pieces.

    A piece that starts a word loses its "▁"; one that continues a word gets a leading "·" (``▁stud ent .`` becomes
    ``stud ·ent .``). Punctuation and scripts written without spaces are left unmarked. A byte ``<0xE2>`` becomes
    ``⟨E2⟩``, a control character "�".
    """
    labels = []
    for i, piece in enumerate(pieces):
        if piece.startswith("<0x") and piece.endswith(">"):
            labels.append(f"⟨{piece[3:-1]}⟩")
            continue
        text = piece.removeprefix("▁").replace("▁", " ") if piece.strip("▁ ") else "▁"
        text = "".join("�" if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in text)
        continues = i > 0 and piece[:1].isalnum() and unicodedata.east_asian_width(piece[0]) not in "WF"
        labels.append(f"·{text}" if continues else text)
    return labels


def short_names(paths: Sequence[Path]) -> list[str]:
    """The name of each file or folder, with as many of those above it as tell several apart."""
    distinct = {path.absolute() for path in paths}
    depth = 1
    while len({path.parts[-depth:] for path in distinct}) < len(distinct):
        depth += 1
    return ["/".join(path.absolute().parts[-depth:]) for path in paths]


def fonts_for(text: str) -> tuple[list[str], str]:
    """Font families that together have the characters of `text`, and the characters that no installed font has."""
    from matplotlib.font_manager import FontProperties, fontManager, get_font

    def covered(family: str) -> set[str]:
        font = get_font(fontManager.findfont(FontProperties(family=[family]), fallback_to_default=False))
        return {c for c in wanted if font.get_char_index(ord(c))}

    wanted = set(text)
    families = ["DejaVu Sans"]  # comes with matplotlib
    wanted -= covered("DejaVu Sans")
    if wanted:
        regular = {
            f.name for f in fontManager.ttflist if f.style == "normal" and f.weight in (400, "normal", "regular")
        }
        # Last Resort has a box for everything; colour fonts are bitmaps, which matplotlib cannot scale.
        usable = {name for name in regular if not any(word in name for word in ("Last Resort", "LastResort", "Emoji"))}
        coverage = {name: covered(name) for name in usable}
        while wanted and coverage:
            # Of fonts that cover as much: a plain one, and for Chinese, Japanese and Korean not Hong Kong's forms.
            traits = {name: ("Sans" not in name, len(name), name.endswith("HK"), name) for name in coverage}
            best = min(coverage, key=lambda name: (-len(coverage[name] & wanted), *traits[name]))
            found = coverage.pop(best) & wanted
            if not found:
                break
            families.append(best)
            wanted -= found
    return families, "".join(sorted(wanted))


def display_width(text: str) -> int:
    """How many columns of a terminal `text` takes: wide characters two, combining and invisible ones none."""
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def fit(text: str, width: int) -> str:
    """`text` cut or filled with spaces to `width` columns."""
    if display_width(text) > width:
        while display_width(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - display_width(text))


def stacked(text: str) -> list[str]:
    """The characters of `text`, each with its combining marks and two columns wide, for a label that runs downwards."""
    stack: list[str] = []
    for c in text:
        if stack and unicodedata.category(c) in MARKS and display_width(stack[-1] + c) <= 2:
            stack[-1] += c
        else:
            stack.append(c)
    return [fit(c, 2) for c in stack]


def left_to_right(text: str) -> str:
    """`text` fenced with invisible marks if it has Arabic or Hebrew, so that a terminal does not reverse its line."""
    return f"\u200e{text}\u200e" if any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in text) else text
