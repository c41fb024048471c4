# SPDX-License-Identifier: MIT
"""A plot of a few lines, as SVG: chart() is all there is."""

import math

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 72, 24, 40, 48
# Told apart by those who see no red and green, too (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DASHES = ("", "6 3", "2 3", "9 3 2 3", "1 2", "12 4", "4 4")


def plain(words):
    return words.replace("&", "&amp;").replace("<", "&lt;").replace("`", "")


def text(x, y, words, anchor="middle", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{plain(words)}</text>'


def number(value):
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


class Axis:
    """From values to pixels, by logarithm or from 0 on."""

    def __init__(self, values, log, begin, end):
        self.log, self.begin, self.end = log, begin, end
        if log:
            self.low = math.floor(math.log10(min(values)) + 1e-9)
            self.high = max(math.ceil(math.log10(max(values)) - 1e-9), self.low + 1)
        else:
            self.low, self.high = 0, max(values) * 1.05

    def place(self, value):
        value = math.log10(value) if self.log else value
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self):
        if self.log:
            return [10 ** n for n in range(self.low, self.high + 1)]
        step = 10 ** math.floor(math.log10(self.high))
        for part in (5, 2, 1):
            if self.high / (step / part) <= 6:
                step /= part
                break
        return [step * n for n in range(int(self.high / step) + 1)]


def chart(title, x_title, y_title, lines, log_x=False, log_y=False):
    """SVG of lines, each a name and its points (x, y, low, high), all above 0."""
    right = WIDTH - RIGHT
    bottom = HEIGHT - BOTTOM - 18 * ((len(lines) + 1) // 2)
    xs = sorted({point[0] for _, points in lines for point in points})
    ys = [y for _, points in lines for point in points for y in point[1:]]
    across, up = Axis(xs, log_x, LEFT, right), Axis(ys, log_y, bottom, TOP)
    out = ['<!-- SPDX-License-Identifier: MIT -->',
           f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'role="img" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
           f"<title>{plain(title)}</title>",
           text(WIDTH / 2, 20, title, extra=' font-size="14" font-weight="bold"')]
    for y in up.ticks():
        at = up.place(y)
        out.append(f'<path d="M{LEFT} {at:.1f}H{right}" stroke="#ddd"/>')
        out.append(text(LEFT - 6, at + 4, number(y), "end"))
    for x in xs:
        at = across.place(x)
        out.append(f'<path d="M{at:.1f} {bottom}v5" stroke="#000"/>')
        out.append(text(at, bottom + 18, number(x)))
    out.append(f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#000"/>')
    out.append(text((LEFT + right) / 2, bottom + 34, x_title + scale(log_x)))
    out.append(text(16, (TOP + bottom) / 2, y_title + scale(log_y),
                    extra=f' transform="rotate(-90 16 {(TOP + bottom) / 2:.1f})"'))
    for n, (name, points) in enumerate(lines):
        placed = [(across.place(x), *(up.place(y) for y in ys)) for x, *ys in points]
        out += line(n, name, placed, bottom + 52)
    return "\n".join(out) + "\n</svg>\n"


def scale(log):
    return " (logarithmic)" if log else ""


def line(n, name, points, legend):
    """The line, its points, their quartiles as bars, and its name below."""
    colour, dash = COLOURS[n % len(COLOURS)], DASHES[n % len(DASHES)]
    style = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y, *_ in points)
    x, y = LEFT + (n % 2) * (WIDTH - LEFT) / 2, legend + 18 * (n // 2)
    out = [f'<path d="M{path}" fill="none" {style}/>']
    for px, py, low, high in points:
        out.append(f'<path d="M{px:.1f} {low:.1f}V{high:.1f}M{px - 4:.1f} {low:.1f}h8'
                   f'M{px - 4:.1f} {high:.1f}h8" stroke="{colour}"/>')
        out.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>')
    out.append(f'<path d="M{x:.1f} {y - 4:.1f}h28" {style}/>')
    out.append(text(x + 34, y, name, "start"))
    return out
