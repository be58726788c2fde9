"""The report of a pullback: pictures, measures as CSV, contours to correct, and one page that holds it all."""

import base64
from html import escape
from pathlib import Path

from dataeff_al.errors import DataError
from labelers.ivus.borders import Borders
from labelers.ivus.contour_files import write_contours
from labelers.ivus.drawing import cut_picture, frames_picture, measures_picture
from labelers.ivus.measuring import measure, measure_segment
from labelers.ivus.pullback import Pullback

SHOWN = {
    "frame": ("frame", "{:.0f}"),
    "position_mm": ("mm", "{:.2f}"),
    "lumen_area_mm2": ("lumen mm²", "{:.2f}"),
    "eem_area_mm2": ("EEM mm²", "{:.2f}"),
    "plaque_burden_percent": ("burden %", "{:.0f}"),
    "lumen_min_diameter_mm": ("least ⌀ mm", "{:.2f}"),
    "area_stenosis_percent": ("stenosis %", "{:.0f}"),
    "remodelling_index": ("remodelling", "{:.2f}"),
    "calcium_arc_deg": ("calcium °", "{:.0f}"),
    "confidence": ("confidence", "{:.2f}"),
}
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;color:#1f2933;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.85rem}"
    "th,td{padding:.15rem .6rem;text-align:right;border-bottom:1px solid #d9dee4}img{max-width:100%}"
)
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_report(picture: Path, pullback: Pullback, borders: Borders, name: str) -> None:
    """Write ``picture`` (frames) and, beside it under the same stem, ``-cut.png``, ``-measures.png``,
    ``-measures.csv``, ``-report.html`` and the folder ``-contours``.

    Raises DataError when a file cannot be written, GeometryError when a contour is none.
    """
    table = measure(borders)
    pictures = {
        "": frames_picture(pullback, borders, name),
        "-cut": cut_picture(pullback, borders, name),
        "-measures": measures_picture(table, name),
    }
    stem = picture.with_suffix("")
    try:
        for suffix, content in pictures.items():
            stem.with_name(f"{stem.name}{suffix}.png").write_bytes(content)
        page = _page(name, list(pictures.values()), borders)
        stem.with_name(f"{stem.name}-report.html").write_text(page, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{str(picture.parent)!r} must be writable, but got {error.strerror!r}.") from error
    table.to_csv(stem.with_name(f"{stem.name}-measures.csv"))
    write_contours(stem.with_name(f"{stem.name}-contours"), borders)


def _page(name: str, pictures: list[bytes], borders: Borders) -> str:
    images = "".join(
        f'<img alt="" src="data:image/png;base64,{base64.b64encode(picture).decode()}">' for picture in pictures
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><style>{STYLE}</style></head><body>'
        f"<h1>{escape(name)}</h1><p>{escape(_summary(borders))}</p>{images}{_rows(borders)}"
        "<p>Found by a program, for research; not a medical device. Dotted borders were bridged, not seen. Grey levels "
        "tell calcium from other tissue, and nothing more.</p></body></html>"
    )


def _summary(borders: Borders) -> str:
    found = measure_segment(borders)
    return (
        f"{len(borders)} frames. Minimal lumen area {found['minimal_lumen_area_mm2']:.2f} mm² in frame "
        f"{found['minimal_lumen_area_frame']:.0f}, plaque burden there {found['plaque_burden_at_mla_percent']:.0f} %; "
        f"atheroma {found['percent_atheroma_volume']:.0f} % of the vessel; widest calcium "
        f"{found['max_calcium_arc_deg']:.0f}°. Mean confidence {borders.confidence.mean():.2f}."
    )


def _rows(borders: Borders) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title, _ in SHOWN.values())
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(row[key], form)}</td>" for key, (_, form) in SHOWN.items()) + "</tr>"
        for row in measure(borders)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: float, form: str) -> str:
    return "–" if value != value else form.format(value)
