"""What a copy costs in bits per byte, by the very statistics and margin of the gate: handed to the stage that makes copies."""

from __future__ import annotations

from tutelage.core.copies import CopyCost, PairedBits, Weigh, Weighed
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import Interval, documents_to_decide, non_inferiority, percentile_interval
from tutelage.scores.tables import RatioTable

BEFORE, AFTER = "before", "after"


def weigher(settings: ScoresSettings) -> Weigh:
    """Compares two models over the same answers, paired by row and resampled by document.

    Where one of several copies is to be picked, `tried` says how many: each interval then leaves out alpha / tried only, so that the
    chance that a worse one passes stays alpha for all of them together (Bonferroni). Fewer documents than a verdict needs decide nothing.
    """
    margin = settings.copy_margin_bits_per_byte

    def weigh(bits: PairedBits, tried: int) -> Weighed:
        columns = {BEFORE: list(zip(bits.before, map(float, bits.sizes), strict=True)),
                   AFTER: list(zip(bits.after, map(float, bits.sizes), strict=True))}
        table = RatioTable(bits.documents, columns, settings, is_exp=False)
        value = percentile_interval(table.resampled(AFTER), settings.alpha)
        paired = percentile_interval(table.resampled(AFTER) - table.resampled(BEFORE), settings.alpha / tried)
        decides = table.documents >= documents_to_decide(settings.alpha)
        state = non_inferiority(Interval(paired.low, paired.high), margin) if decides else "not enough evidence"
        cost = CopyCost(difference=table.value(AFTER) - table.value(BEFORE), low=paired.low, high=paired.high, margin=margin, state=state)
        return Weighed(before=table.value(BEFORE), value=table.value(AFTER), low=value.low, high=value.high, cost=cost)
    return weigh
