"""The page of the stage names all that the stage may say."""

from explained import unexplained

from tutelage.dataset.settings import DatasetSettings


def test_every_reason_and_setting_of_the_dataset_is_explained():
    count, missing = unexplained("dataset", DatasetSettings, "stages/dataset.md")
    assert missing == []
    assert count >= 35
