"""whylogs: profile both frames, then its default drift scores."""
import logging
import os
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
os.environ.setdefault("WHYLOGS_NO_ANALYTICS", "True")

import whylogs as why
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

from common import frame, phase

reference, current = frame("ref"), frame("cur")
then = why.log(pandas=reference).profile().view()
now = phase("profile 1,000,000 rows of 25 columns", lambda: why.log(pandas=current).profile().view())
phase("drift scores", lambda: calculate_drift_scores(target_view=now, reference_view=then, with_thresholds=True))
