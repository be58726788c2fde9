"""The ``deep_labelling`` labeler's light description."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dataeff_al.registry import LabelerPlugin, Params

Name = Annotated[str, Field(min_length=1, max_length=4096)]
MOST_CODE = 254
Code = Annotated[int, Field(ge=1, le=MOST_CODE)]


class RegionParams(Params):
    """A region: its ``name``, the class ``codes`` that it covers in annotations, and the code to ``paint``."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^/\\\x00]+$")]
    codes: Annotated[list[Code], Field(min_length=1, max_length=254)]
    paint: Code


class DeepLabellingParams(Params):
    """Contours learnt from a few annotated images.

    ``annotated``: an npz file with ``x`` ``(n, 1, h, w)`` and ``mask`` ``(n, h, w)``; or ``annotated_groups``: groups
    of the campaign's own pool (patients, say) whose known answers may be learnt from; or ``model``: a file that was
    saved after training. ``regions``, painted in this order, default to one for each class code above 0; an epicardium
    is the codes of muscle and cavity together, painted before the cavity. ``save``: where to keep the trained model.
    ``steps`` and ``detector_steps`` follow the number of annotated images where they are not given.
    ``cost: 0`` leaves the budget to whoever the unsure images are passed on to.
    """

    annotated: Name | None = None
    annotated_groups: Annotated[list[Name], Field(max_length=1000, default_factory=list)]
    model: Name | None = None
    save: Name | None = None
    regions: Annotated[list[RegionParams], Field(max_length=16, default_factory=list)]
    policy: Literal["hybrid", "radial", "direction", "published"] = "hybrid"
    steps: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    detector_steps: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    members: Annotated[int, Field(ge=1, le=16)] = 3
    batch: Annotated[int, Field(ge=2, le=4096)] = 16
    seed: Annotated[int, Field(ge=0)] = 0
    cost: Annotated[int, Field(ge=0, le=1_000_000)] = Field(1, description="what a label costs, in the budget's unit")

    @model_validator(mode="after")
    def _one_source(self) -> "DeepLabellingParams":
        given = [name for name in ("annotated", "annotated_groups", "model") if getattr(self, name)]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"exactly one of annotated, annotated_groups and model must be given, but got {found}.")
        paints = [region.paint for region in self.regions]
        if len(set(paints)) != len(paints):
            raise ValueError(f"regions must paint codes of their own, but got {paints!r}.")
        if self.model is not None and len(self.regions) > 1:
            raise ValueError(f"a saved model must serve one region, but got {len(self.regions)} regions.")
        return self


def _needs(params: DeepLabellingParams) -> frozenset[str]:
    return frozenset({"answers"} if params.annotated_groups else ())


PLUGIN = LabelerPlugin(
    kind="labelers",
    name="deep_labelling",
    summary="Contours learnt from a few annotated images: agents walk a learnt field until their orbits close.",
    params=DeepLabellingParams,
    build="labelers.deep_labelling.labeler:DeepLabellingLabeler",
    needs=_needs,
    seconds=lambda _: 0.1,
    max_cost=lambda params: params.cost,
)
