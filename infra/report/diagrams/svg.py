"""SVG text: shapes and words with classes, whose colours are in one style sheet for pages and files."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CHARACTER = 7.0
"""Pixels of an average character at 12 px in the widest usual font (DejaVu Sans)."""

COLOURS = {
    "ink": ("#16202c", "#e4eaf1"),
    "soft": ("#5b6878", "#95a3b5"),
    "line": ("#dde3ea", "#2b3643"),
    "edge": ("#8694a6", "#6d7c8f"),
    "card": ("#ffffff", "#181f29"),
    "tray": ("#cfe0f7", "#24405f"),
    "storage": ("#d9ecd5", "#27452a"),
    "management": ("#f6e2c3", "#4e3d1c"),
    "switch": ("#e4d9f3", "#3c2f56"),
    "other": ("#e8ecf1", "#2a333f"),
    "east-west": ("#3b6fb6", "#5f93dc"),
    "north-south": ("#18794e", "#4cc38a"),
    "storage-fabric": ("#8a3ffc", "#b28dff"),
    "out-of-band": ("#a15c07", "#e2a03f"),
}
"""Colour → in the light and in the dark theme."""

RULES = """\
svg{display:block;max-width:none;font:12px system-ui,"DejaVu Sans",sans-serif}
svg text{fill:[ink]}svg .dim{fill:[soft];font-size:11px}svg .name{font-weight:600}svg .small{font-size:10px}
svg .head{font-weight:600;font-size:15px}
svg .frame{fill:none;stroke:[edge]}svg .paper{fill:[card]}svg .rule{stroke:[line]}
svg .box{stroke:[edge];stroke-width:1;fill:[other]}
svg .tray{fill:[tray]}svg .storage{fill:[storage]}svg .management{fill:[management]}svg .switch{fill:[switch]}
svg .cable{stroke:[edge];stroke-width:2;fill:none}
svg .cable.east-west{stroke:[east-west]}svg .cable.north-south{stroke:[north-south]}
svg .cable.out-of-band{stroke:[out-of-band]}svg .cable.storage{stroke:[storage-fabric]}
svg .port{stroke:[edge];stroke-width:.5;fill:[card]}
svg .port.east-west,svg .band.east-west{fill:[east-west]}
svg .port.north-south,svg .band.north-south{fill:[north-south]}
svg .port.out-of-band,svg .band.out-of-band{fill:[out-of-band]}
svg .port.storage,svg .band.storage{fill:[storage-fabric]}
svg .port.up{fill-opacity:.45}svg .band{fill-opacity:.35}"""


def style() -> str:
    """Style sheet of all drawings, for a page or a file; a dark theme gets its own colours."""
    light, dark = (_coloured(theme) for theme in (0, 1))
    return f"{light}\n@media (prefers-color-scheme:dark){{{dark}}}"


def _coloured(theme: int) -> str:
    text = RULES
    for name, themes in COLOURS.items():
        text = text.replace(f"[{name}]", themes[theme])
    return text


MARGIN = 10


def shorten(text: str, pixels: float, *, start: bool = False) -> str:
    """Keep the end, or the start, of a text that is too long for its place."""
    most = max(int(pixels / CHARACTER), 2)
    if len(text) <= most:
        return text
    return f"{text[: most - 1]}…" if start else f"…{text[1 - most :]}"


def number(value: float) -> str:
    """Write a coordinate with no more digits than a screen shows."""
    return f"{value:.1f}".removesuffix(".0")


class Drawing:
    """Shapes of one picture; it grows to the right and downwards as they are added.

    Args:
        title: what a screen reader says.
        kinds: kind of each fabric, by name: cables, bands and ports have their fabric's kind's colour.
    """

    def __init__(self, title: str, kinds: Mapping[str, str]) -> None:
        self.title, self.kinds = title, kinds
        self.parts: list[str] = []
        self.width = self.height = 0.0

    def reach(self, x: float, y: float) -> None:
        """Make room as far as a point."""
        self.width, self.height = max(self.width, x), max(self.height, y)

    def text(
        self, x: float, y: float, words: str, kind: str = "", *, end: bool = False, middle: bool = False
    ) -> None:
        """Write words from a point; `end` or `middle` say where the point is in them."""
        anchor = ' text-anchor="end"' if end else ' text-anchor="middle"' if middle else ""
        called = f' class="{kind}"' if kind else ""
        self.parts.append(f'<text{called}{anchor} x="{number(x)}" y="{number(y)}">{escape(words)}</text>')
        size = 9.0 if "head" in kind else CHARACTER
        wide = len(words) * size
        self.reach(x if end else x + (wide / 2 if middle else wide), y + 4)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        kind: str,
        *,
        about: str = "",
        round_: float = 3,
    ) -> None:
        """Draw a rectangle; `about` is shown where the pointer rests on it."""
        shape = (
            f'<rect class="{self._classes(kind)}" x="{number(x)}" y="{number(y)}" width="{number(width)}" '
            f'height="{number(height)}"' + (f' rx="{number(round_)}"' if round_ else "")
        )
        self.parts.append(f"{shape}><title>{escape(about)}</title></rect>" if about else f"{shape}/>")
        self.reach(x + width + 1, y + height + 1)

    def line(
        self, x1: float, y1: float, x2: float, y2: float, kind: str = "rule", *, wide: float = 0
    ) -> None:
        """Draw a line; `wide` pixels, or as its kind has it."""
        stroke = f' style="stroke-width:{number(wide)}"' if wide else ""
        ends = zip(("x1", "y1", "x2", "y2"), (x1, y1, x2, y2), strict=True)
        where = " ".join(f'{name}="{number(value)}"' for name, value in ends)
        self.parts.append(f'<line class="{self._classes(kind)}" {where}{stroke}/>')
        self.reach(max(x1, x2) + 1, max(y1, y2) + 1)

    def shape(self, points: Iterable[tuple[float, float]], kind: str, *, about: str = "") -> None:
        """Draw a filled polygon."""
        corners = list(points)
        where = " ".join(f"{number(x)},{number(y)}" for x, y in corners)
        start = f'<polygon class="{self._classes(kind)}" points="{where}"'
        self.parts.append(f"{start}><title>{escape(about)}</title></polygon>" if about else f"{start}/>")
        for x, y in corners:
            self.reach(x + 1, y + 1)

    def _classes(self, kind: str) -> str:
        shape, *rest = kind.split(" ")
        known = self.kinds if shape in {"port", "band", "cable"} else {}
        return " ".join([shape, *(known.get(word, word) for word in rest)])

    def svg(self) -> str:
        """As an element of a page that has `style()`."""
        width, height = self.width + 2 * MARGIN, self.height + 2 * MARGIN
        return (
            f'<svg viewBox="{-MARGIN} {-MARGIN} {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{escape(self.title)}">'
            + "".join(self.parts)
            + "</svg>"
        )

    def document(self) -> str:
        """As a file of its own."""
        start, rest = self.svg().split(">", 1)
        own = f'{start} xmlns="http://www.w3.org/2000/svg">'
        paper = f'<rect class="paper" x="{-MARGIN}" y="{-MARGIN}" width="100%" height="100%"/>'
        return f"{own}<title>{escape(self.title)}</title><style>{style()}</style>{paper}{rest}\n"
