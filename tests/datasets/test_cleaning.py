import pytest

from dlbench.datasets.ag_news import clean


@pytest.mark.parametrize(
    ("raw", "mended"),
    [
        ("Kerry #39;s plan", "Kerry's plan"),
        ("a  #36;10 prize", "a  $10 prize"),
        (r"\$160 million fell\in August", "$160 million fell in August"),
        ("as  quot;nuts, quot; he", 'as  "nuts, " he'),
        ("Johnson amp; Johnson", "Johnson & Johnson"),
        ("&lt;b&gt;...&lt;/b&gt;", " ... "),
        ('<A HREF="x">Reuters</A>', " Reuters "),
        ("1 < 2; 3 > 2", "1 < 2; 3 > 2"),
        ("nothing to do", "nothing to do"),
        ("", ""),
    ],
)
def test_marks_of_the_scraper_are_mended(raw: str, mended: str) -> None:
    assert clean([raw]) == [mended]
