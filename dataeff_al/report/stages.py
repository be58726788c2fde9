"""The stages of a model's answer beside the truth: blocks from coarse to fine, or one decoder after another."""

from dataeff_al.report.model import Case, RunReport
from dataeff_al.report.pictures import depth_of, draw_overlay, legend_of, plane
from dataeff_al.report.rows import heading, legend_options, sample_column, titled
from dataeff_al.report.style import INK, WIDTH_IN, new_figure, plain, png

MOST_STAGES = 6


def stage_maps(report: RunReport) -> bytes | None:
    """Sample, every stage, truth: the worst test case that has stages; None when none has."""
    case = next((case for case in (*report.worst, *report.best) if case.stages and case.kind == "mask"), None)
    return None if case is None else _drawn(case)


def _drawn(case: Case) -> bytes:
    depth, shown = depth_of(case), list(case.stages)[-MOST_STAGES:]
    figure = new_figure(WIDTH_IN / (len(shown) + 2) + 1.1)
    figure.suptitle(heading(case), x=0.012, ha="left", fontsize=9.5, color=INK, weight="bold")
    axes = figure.subplots(1, len(shown) + 2)
    sample_column(axes[0], case, depth)
    maps = [(name, plane(codes, depth)) for name, codes in (*shown, ("truth", case.truth))]
    for each, (name, codes) in zip(axes[1:], maps, strict=True):
        draw_overlay(titled(each, plain(name, 20)), case, codes, depth)
    handles = legend_of([codes for _, codes in maps], case.classes, background=False)
    if len(handles) <= 16:
        figure.legend(handles=handles, loc="outside lower center", **legend_options(handles))
    return png(figure)
