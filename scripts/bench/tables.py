"""Markdown tables of what contestants took and how good they are."""

from dataclasses import dataclass


@dataclass
class Claim:
    """What was meant, and whether it is so."""

    met: bool
    text: str

    def __post_init__(self):
        self.met = bool(self.met)  # NumPy's is not JSON's

    def line(self):
        return f"- {'met' if self.met else 'MISSED'}: {self.text}"


def mib(bytes_):
    return f"{bytes_ / 2**20:,.0f}"


def spread(values):
    values = sorted(values)
    middle = values[len(values) // 2] if len(values) % 2 else (values[len(values) // 2 - 1] + values[len(values) // 2]) / 2
    return f"{middle:.2f}" if len(values) < 2 else f"{middle:.2f} ({values[0]:.2f} … {values[-1]:.2f})"


# Heading, and what of (bench, data, contestant) stands below it; a column in
# which nobody has anything is left out.
def seconds(bench, data, c):
    return spread([r["wall"] for r in bench.results[data.name, c]])


def speed(bench, data, c):
    return f"{len(data.y_train) / bench.middle(data, c, 'wall') / 1e6:.2f}"


def number(key, form):
    def text(bench, data, c):
        value = bench.middle(data, c, key)
        return "" if value is None else format(value, form)
    return text


def peak(bench, data, c):
    return mib(bench.middle(data, c, "peak"))


COLUMNS = {
    "wall s": seconds,
    "fit alone s": number("fit", ".2f"),
    "M rows/s": speed,
    "CPU s": number("cpu", ".2f"),
    "peak MB": peak,
    "progressive log loss": number("progressive", ".5f"),
    "objective": number("objective", ".1f"),
    "above the optimum": number("gap", ".1e"),
    "test log loss": number("log_loss", ".5f"),
    "test AUC": number("auc", ".4f"),
}


def table(bench, data, contestants, more=None):
    """Lines of a table in the order of the contestants."""
    columns = {**COLUMNS, **(more or {})}
    cells = {head: [text(bench, data, c) for c in contestants] for head, text in columns.items()}
    heads = [h for h in columns if any(cells[h])]
    lines = ["| | " + " | ".join(["", *heads]) + " |", "|" + "---|" * (len(heads) + 2)]
    for i, c in enumerate(contestants):
        lines.append(f"| {c.name} | {c.note} | " + " | ".join(cells[h][i] for h in heads) + " |")
    return lines


def plain(heads, rows):
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *("| " + " | ".join(map(str, r)) + " |" for r in rows)]


def absent(bench, data, contestants):
    """Who did not run, and why."""
    return [f"- did not run: {c.name}: {bench.missing[data.name, c]}" for c in contestants if (data.name, c) in bench.missing]


def ratio(bench, data, name, other, key="wall"):
    """How many times other's median is name's; None where one did not run."""
    a, b = (find(bench, data, n) for n in (name, other))
    if a is None or b is None:
        return None
    x, y = bench.middle(data, a, key), bench.middle(data, b, key)
    return None if x is None or y is None else y / x


def find(bench, data, name):
    return next((c for d, c in bench.results if d == data.name and c.name == name), None)


def value(bench, data, name, key):
    c = find(bench, data, name)
    return None if c is None else bench.middle(data, c, key)


def faster(bench, data, name, other, factor):
    r = ratio(bench, data, name, other)
    return [] if r is None else [Claim(r >= factor, f"{name} takes 1/{r:.2f} of the wall time of {other}: want 1/{factor:g} or less")]


def no_worse(bench, data, name, other, key="log_loss", words="test log loss"):
    a, b = value(bench, data, name, key), value(bench, data, other, key)
    return [] if a is None or b is None else [Claim(a <= b, f"{words} of {name} is {a - b:+.5f} beside {other}: want 0 or less")]


def at_most(bench, data, name, key, most, words):
    a = value(bench, data, name, key)
    return [] if a is None else [Claim(a <= most, f"{words} of {name} is {a:.4g}: want at most {most:g}")]


def commands(bench, data, contestants):
    return list(dict.fromkeys(bench.commands[data.name, c] for c in contestants if (data.name, c) in bench.commands))
