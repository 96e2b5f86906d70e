"""What was measured, as tables of Markdown."""

from collections.abc import Mapping, Sequence

from benchmark.batches import Batches
from benchmark.breakdown import Breakdown
from benchmark.contest import PEAK, Contest
from benchmark.scaling import AXES, Scaling
from benchmark.translate import PIECES_KEY
from measuring.markdown import table, three_digits

NONE = "–"


def training_table(contests: Mapping[str, Contest]) -> str:
    rows = _rows(contests, [])
    return _with_peers(contests, ["model", "", "target tokens/s"], rows) + "\n\n" + conditions(contests)


def translation_table(contests: Mapping[int, Contest]) -> str:
    named = {f"beam {beam}" if beam > 1 else "greedy": contest for beam, contest in contests.items()}
    rows = _rows(named, [PIECES_KEY])
    return _with_peers(named, ["search", "", "sentences/s", "pieces/s"], rows) + "\n\n" + conditions(named)


def _rows(contests: Mapping[str, Contest], more: Sequence[str]) -> list[list[str]]:
    """One of each contestant: names, figures, then for each peer two ratios, and the memory before its own."""
    peers = _peers(contests)
    rows = []
    for name, contest in contests.items():
        for one in contest.measured:
            speeds = [_digits(contest.median(one, key)) for key in (contest.key, *more)]
            rows.append(
                [
                    name,
                    one,
                    *speeds,
                    *(_ratio(contest, one, peer, contest.key) for peer in peers),
                    _digits(contest.median(one, PEAK)),
                    *(_ratio(contest, one, peer, PEAK) for peer in peers),
                ]
            )
    return rows


def _with_peers(contests: Mapping[str, Contest], heads: list[str], rows: list[list[str]]) -> str:
    ratios = [f"/ {peer}" for peer in _peers(contests)]
    return table([*heads, *ratios, "peak memory, MiB", *ratios], rows)


def _peers(contests: Mapping[str, Contest]) -> list[str]:
    return list(dict.fromkeys(peer for contest in contests.values() for peer in contest.peers))


def _ratio(contest: Contest, one: str, peer: str, key: str) -> str:
    found = contest.ratio(one, peer, key) if one in contest.ours and peer in contest.measured else None
    return NONE if found is None else f"{found:.2f}"


def _digits(number: float | None) -> str:
    return NONE if number is None else three_digits(number)


def conditions(contests: Mapping[str, Contest]) -> str:
    """When and where, and how often; one sentence for all that were measured alike."""
    ways: dict[str, list[str]] = {}
    for name, contest in contests.items():
        ways.setdefault(_condition(contest), []).append(name)
    if len(ways) == 1:
        return next(iter(ways))
    return "\n".join(f"- {', '.join(names)}: {way}" for way, names in ways.items())


def _condition(contest: Contest) -> str:
    here, count = contest.environment, contest.threads
    changed = [override for override in contest.overrides if not override.startswith("data.")]
    return (
        f"Measured {here.date} at commit {here.commit} on {here.machine}; {count} thread{'s' * (count > 1)}. "
        + (f"Changed for it: {', '.join(f'`{override}`' for override in changed)}. " if changed else "")
        + (
            f"Medians of {contest.rounds} rounds, and of the ratios within a round."
            if contest.rounds > 1
            else "One round."
        )
    )


def start_table(contest: Contest) -> str:
    """Of whole processes: seconds, and ours as a multiple of the import."""
    (ours,), (reference,) = contest.ours, contest.peers
    rows = [
        [f"`{name}`", f"{contest.median(name, contest.key):.2f}", f"{contest.ratio(name, reference, contest.key):.2f}"]
        for name in (ours, reference)
    ]
    return table(["whole process", "seconds", "ratio"], rows) + "\n\n" + conditions({"": contest})


def breakdown_table(found: Breakdown) -> str:
    step, search = found.step, found.beam_step
    rows = [
        [
            part.name,
            _milliseconds(part.forward),
            _milliseconds(part.backward),
            f"{(part.forward + part.backward) / step.seconds:.0%}",
        ]
        for part in step.parts
    ]
    rows.append(["**one training step**", "", f"**{1e3 * step.seconds:,.1f}**", ""])
    search_rows = [[p.name, _milliseconds(p.forward), f"{p.forward / search.seconds:.0%}"] for p in search.parts]
    search_rows.append(["**one beam step**", f"**{1e3 * search.seconds:,.2f}**", ""])
    here = found.environment
    return "\n\n".join(
        [
            f"One training step of `{found.setting}` in {found.precision}: {found.num_tokens:,} target tokens, "
            f"{found.num_tokens / step.seconds:,.0f} a second.",
            table(["part", "forward, ms", "backward, ms", "share"], rows),
            f"Its matrix products are {found.flops / 1e9:,.1f} GFLOP: {found.flops / step.seconds / 1e9:,.0f} GFLOP/s "
            f"over the whole step, {found.share_of_peak:.0%} of the {found.peak_flops / 1e9:,.0f} GFLOP/s that one "
            f"large product in {found.precision} reaches here.",
            f"One step of a beam search over {found.num_rows} hypotheses in {found.search_precision}:",
            table(["part", "ms", "share"], search_rows),
            f"Measured {here.date} at commit {here.commit} on {here.machine}; "
            f"{found.threads} thread{'s' * (found.threads > 1)}. The profiler, which tells the parts apart, slows the "
            f"training step down by a factor of {step.slowed:.2f} and the search by {search.slowed:.2f}; the times are "
            "scaled to those without it.",
        ]
    )


def batches_table(found: Batches) -> str:
    """One table for training and one for translation, whose batches are of other sizes."""
    here, tables = found.environment, []
    for kind in ("training", "translation"):
        curves = [curve for curve in found.curves if curve.what.startswith(kind) and curve.tokens_per_second]
        if curves:
            sizes = list(curves[0].tokens_per_second)
            rows = [
                [
                    curve.model,
                    _millions(curve.parameters),
                    curve.what,
                    *(three_digits(curve.tokens_per_second[size]) for size in sizes),
                ]
                for curve in curves
            ]
            tables.append(table(["model", "parameters", "target tokens/s", *map(str, sizes)], rows))
    return "\n\n".join([*tables, f"Measured {here.date} at commit {here.commit} on {here.machine}."])


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} M" if count < 1e7 else f"{count / 1e6:.0f} M"


def scaling_table(found: Scaling) -> str:
    here = found.environment
    rows = [
        [AXES[axis][0], "; ".join(f"{point.value:,}: {three_digits(point.tokens_per_second)}" for point in points)]
        for axis, points in found.points.items()
    ]
    return (
        f"{table(['varied', 'target tokens/s'], rows)}\n\n"
        f"Measured {here.date} at commit {here.commit} on {here.machine}; `{found.setting}`, "
        f"{found.threads} thread{'s' * (found.threads > 1)}."
    )


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.2f}" if seconds > 0 else NONE
