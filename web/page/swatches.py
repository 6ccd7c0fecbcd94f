"""Knows how common colours look, so that a filter can show them."""

_COLOURS = {
    "beige": "#e4d9bd", "black": "#1c1c1c", "blue": "#2f62c9", "bronze": "#a3702f", "brown": "#7a4a2b",
    "burgundy": "#6d1230", "charcoal": "#3d4248", "copper": "#b6693a", "coral": "#ff7f5c", "cream": "#f6efd9",
    "cyan": "#1fb6c9", "gold": "#d3a935", "gray": "#8d8d8d", "green": "#2f8a43", "grey": "#8d8d8d",
    "indigo": "#3f3a9c", "ivory": "#f8f4e3", "khaki": "#b3a369", "lavender": "#b9a7e0", "lime": "#9ccb3b",
    "magenta": "#c92f9f", "maroon": "#701f2a", "mint": "#a4dcc1", "navy": "#1d2c57", "olive": "#6f7032",
    "orange": "#ef8a22", "pink": "#f19ac0", "purple": "#7a3fa3", "red": "#cf2b2b", "rose": "#dd7a92",
    "silver": "#c4c7cb", "tan": "#cdac80", "teal": "#1f8583", "turquoise": "#38c4bb", "violet": "#8a4fbf",
    "white": "#ffffff", "yellow": "#f4d22e",
}  # fmt: skip


def swatch(colour: str) -> str | None:
    """Returns the colour that a name such as "dark navy blue" means, as #rrggbb, or None for an unknown name. The first
    known word counts."""
    words = colour.lower().replace("-", " ").replace("/", " ").split()
    return next((_COLOURS[word] for word in words if word in _COLOURS), None)
