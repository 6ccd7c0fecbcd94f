"""Counts how many cases of each feature are right, for benchmarks on a made-up shop with known answers."""

from collections.abc import Iterator, Sequence

from benchmarks.support.report import Line


def feature_lines(features: Sequence[str], without: Sequence[bool], with_feature: Sequence[bool]) -> Iterator[Line]:
    """Yields two lines for each feature. The arguments have a value for each case: its feature, and whether its answer
    is right without and with this feature. Every case must be wrong without the feature and right with it."""
    for feature in dict.fromkeys(features):
        places = [place for place, name in enumerate(features) if name == feature]
        before, after = (sum(right[place] for place in places) for right in (without, with_feature))
        yield Line(f"{feature}: right without the feature", f"{before}/{len(places)}", "0", before == 0)
        yield Line(f"{feature}: right with the feature", f"{after}/{len(places)}", "all", after == len(places))
