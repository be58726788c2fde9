import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import pytest
from PIL import Image

from dataeff_al.errors import DataeffError
from dataeff_al.report.model import AnswerPicture, Failure, Round
from dataeff_al.report.page import MOST_ANSWERS
from dataeff_al.report.write import FIGURES, write_report

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> $\\frac{1}{0}$ {{ 7*7 }} \u4e2d\U0001f600\x07"


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "srcset", "action", "data")]


def text_of(report, folder):
    return write_report(report, folder).read_text("utf-8")


@pytest.fixture(scope="module")
def written(report, tmp_path_factory):
    """A folder with the full report in it, for tests that only read."""
    folder = tmp_path_factory.mktemp("written")
    write_report(report, folder)
    return folder


def test_the_page_stands_alone(written):
    text = (written / "report.html").read_text("utf-8")
    page = Page(text)
    assert page.links
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text


def test_every_figure_is_a_file_and_in_the_page_and_decodes(written):
    text = (written / "report.html").read_text("utf-8")
    files = sorted((written / "figures").iterdir())
    assert [file.stem for file in files] == sorted(FIGURES)
    assert text.count("data:image/png") == len(FIGURES)
    for file in files:
        with Image.open(BytesIO(file.read_bytes())) as image:
            image.verify()
            assert 300 < image.width < 1300
            assert 150 < image.height < 1500
    assert (written / "report.html").stat().st_size < 2_000_000


def test_the_page_tells_the_outcome_the_verdict_and_the_rest(report, written):
    text = (written / "report.html").read_text("utf-8")
    saving = report.savings[0]
    for piece in (report.outcome.split("<=")[0], saving.verdict, saving.reason, report.notes[0], "stop: {metric: nmse"):
        assert piece in text
    assert all(each.reason in text and each.sample in text for each in report.failures)
    assert all(value in text for value in [*report.versions.values(), *report.digests.values()])
    assert "✓ target reached" in text


def test_markup_in_names_and_reasons_is_shown_not_obeyed(report, tmp_path):
    hostile = replace(
        report,
        name=HOSTILE,
        outcome=HOSTILE,
        spec_yaml=HOSTILE,
        notes=[HOSTILE],
        target=replace(report.target, metric=HOSTILE, unit=HOSTILE),
        cost=replace(report.cost, unit=HOSTILE),
        versions={HOSTILE: HOSTILE},
        digests={HOSTILE: HOSTILE},
        failures=[Failure(HOSTILE, HOSTILE, HOSTILE)],
        savings=[replace(report.savings[0], method=HOSTILE, against=HOSTILE, verdict=HOSTILE, reason=HOSTILE)],
        curves=[replace(report.curves[0], name=HOSTILE, rounds=[Round(0, 20, {}, {HOSTILE: 0.3})])],
        worst=[replace(case, id=HOSTILE, error_name=HOSTILE, unit=HOSTILE) for case in report.worst],
    )
    text = text_of(hostile, tmp_path)
    page = Page(text)
    assert "script" not in page.tags
    assert page.tags.count("img") == text.count("data:image/png")
    assert "&lt;script&gt;" in text
    assert "{{ 7*7 }}" in text


def test_the_same_report_gives_the_same_bytes(report, written, tmp_path):
    write_report(report, tmp_path)
    files = [sorted(path for path in folder.rglob("*") if path.is_file()) for folder in (written, tmp_path)]
    assert len(files[0]) == len(FIGURES) + 1
    for one, other in zip(*files, strict=True):
        assert one.name == other.name
        assert one.read_bytes() == other.read_bytes()


def test_a_run_with_nothing_still_has_a_page_that_says_so(bare, tmp_path):
    text = text_of(bare, tmp_path)
    assert list((tmp_path / "figures").iterdir()) == []
    for sentence in (
        "no target set",
        "nothing can be said about what it saves",
        "no full-pool reference",
        "no latent space",
        "No predictions on the test split",
        "Nothing was timed",
        "Every label that was asked for arrived",
    ):
        assert sentence in text
    assert "<td" in text


def test_figures_of_an_earlier_report_do_not_stay(report, bare, tmp_path):
    write_report(replace(report, best=(), worst=()), tmp_path)
    keep = tmp_path / "figures" / "mine.png"
    keep.write_bytes(b"x")
    write_report(bare, tmp_path)
    assert list((tmp_path / "figures").iterdir()) == [keep]


def test_pictures_of_a_labeler_are_in_the_page_and_leave_with_it(bare, tmp_path):
    many = [AnswerPicture(f"{HOSTILE} {n}", HOSTILE, b"\x89PNG %d" % n) for n in range(MOST_ANSWERS + 2)]
    text = text_of(replace(bare, answers=many), tmp_path)
    assert Page(text).tags.count("img") == MOST_ANSWERS
    assert "script" not in Page(text).tags
    assert (tmp_path / "figures" / "label_2.png").read_bytes() == b"\x89PNG 1"
    assert "How the labels came about" not in text_of(bare, tmp_path)
    assert list((tmp_path / "figures").iterdir()) == []


def test_no_unfinished_file_is_left(written):
    assert not [path for path in written.rglob("*") if path.name.endswith(".tmp")]


def test_a_folder_that_cannot_be_written_is_one_sentence(bare, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataeffError, match="the report's folder must be writable, but got"):
        write_report(bare, tmp_path / "file")


def test_many_failures_are_cut_and_counted(bare, tmp_path):
    many = [Failure(f"s{i}", "refused", "x" * 5000) for i in range(80)]
    text = text_of(replace(bare, failures=many), tmp_path)
    assert "And 30 more." in text
    assert len(text) < 60_000


def test_nothing_is_printed_as_nan_or_none(report, make_curve, tmp_path):
    rounds = [
        Round(0, 20, {}, {"nmse": float("nan")}),
        Round(1, 40, {"nmse": 0.5}, {}),
        Round(2, 60, {}, {"nmse": 0.4}),
    ]
    text = text_of(replace(report, best=(), curves=[replace(make_curve("si", 0.5), rounds=rounds)]), tmp_path)
    body = re.sub(r"data:image/png;base64,[^\"]+", "", text)
    assert not re.search(r"\b(nan|None|inf)\b", body)


def test_seeds_and_intervals_reach_the_page(report, make_curve, make_saving, tmp_path):
    ours, theirs = (
        [make_curve(name, rate, seed) for seed in range(5)] for name, rate in (("si", 0.8), ("random", 0.6))
    )
    saving = make_saving(ours, theirs, 0.3)
    assert saving.ci is not None
    text = text_of(replace(report, best=(), worst=(), curves=[*ours, *theirs], savings=[saving]), tmp_path)
    assert saving.verdict in text
    assert "random (seed 4)" in text
