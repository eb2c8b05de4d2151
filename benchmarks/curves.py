"""Curves on logarithmic axes, as an SVG that is read on white and on black."""

from html import escape
from math import log10

WIDTH, HEIGHT = 840, 460
LEFT, RIGHT, TOP, BOTTOM = 60, 520, 50, 410  # of the axes; what is right of them is the legend
COLOURS = (
    *("#3b82f6", "#f97316", "#10b981", "#ec4899", "#a855f7", "#eab308", "#06b6d4"),
    *("#ef4444", "#84cc16", "#8b5cf6", "#14b8a6", "#64748b"),
)
STYLE = """
text { font: 12px sans-serif; fill: #1f2328 } .grid { stroke: #8888; stroke-width: .5 }
path { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
"""


def draw(title, rows):
    """`rows` are `{name: {products: milliseconds}}`, all of the same numbers of products."""
    sizes = list(next(iter(rows.values())))
    most = max(max(cells.values()) for cells in rows.values())
    decades = range(-1, len(str(int(most))) + 1)

    def x(size):
        return LEFT + (RIGHT - LEFT) * log10(size / sizes[0]) / log10(sizes[-1] / sizes[0])

    def y(milliseconds):
        return BOTTOM - (BOTTOM - TOP) * (log10(milliseconds) + 1) / (len(decades) - 1)

    def text(left, top, words, anchor="start"):
        return f'<text x="{left:.0f}" y="{top:.0f}" text-anchor="{anchor}">{escape(words)}</text>'

    def line(*points):
        return f'd="M{" L".join(f"{left:.1f},{top:.1f}" for left, top in points)}"'

    parts = [text(LEFT, 24, f"{title}: milliseconds a request, by the number of products")]
    for decade in decades:
        height = y(10**decade)
        parts.append(f'<path class="grid" {line((LEFT, height), (RIGHT, height))}/>')
        parts.append(text(LEFT - 8, height + 4, f"{10.0**decade:,g}", "end"))
    for size in sizes:
        parts.append(f'<path class="grid" {line((x(size), TOP), (x(size), BOTTOM))}/>')
        parts.append(text(x(size), BOTTOM + 20, f"{size:,}", "middle"))
    # The legend goes by where the curves end, so that one finds them.
    ends = sorted(rows.items(), key=lambda row: -row[1][sizes[-1]])
    for number, (name, cells) in enumerate(ends):
        colour = COLOURS[number % len(COLOURS)]
        points = [(x(size), y(milliseconds)) for size, milliseconds in cells.items()]
        parts.append(f'<path stroke="{colour}" {line(*points)}/>')
        height = TOP + 8 + number * (BOTTOM - TOP) / len(ends)
        parts.append(
            f'<path stroke="{colour}" {line((RIGHT + 16, height), (RIGHT + 36, height))}/>'
        )
        parts.append(text(RIGHT + 42, height + 4, name))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )
