"""Evidently: its data drift preset with its default tests."""
import os
import warnings

os.environ["DO_NOT_TRACK"] = "1"
warnings.filterwarnings("ignore")

from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from common import NUMERIC, STRINGS, frame, phase

reference, current = frame("ref"), frame("cur")
columns = DataDefinition(numerical_columns=NUMERIC, categorical_columns=STRINGS)
then = Dataset.from_pandas(reference, data_definition=columns)
now = Dataset.from_pandas(current, data_definition=columns)
phase("data drift of 1,000,000 rows of 25 columns", lambda: Report([DataDriftPreset()]).run(now, then).dict())
