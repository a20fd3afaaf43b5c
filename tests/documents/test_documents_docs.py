"""The pages of the stage name all that the stage may say."""

from explained import unexplained

from tutelage.documents.settings import DocumentsSettings


def test_every_reason_rule_and_setting_of_the_documents_is_explained():
    count, missing = unexplained("documents", DocumentsSettings, "stages/documents.md", "reading.md")
    assert missing == []
    assert count >= 85
