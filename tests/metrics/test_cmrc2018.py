import pytest

from hf_tasks.metrics.cmrc2018 import bare, cmrc2018, f1, longest_common, segments


@pytest.mark.parametrize(
    "text, expected",
    [
        ("北京大学", ["北", "京", "大", "学"]),
        ("1998年Beijing举办", ["1998", "年", "beijing", "举", "办"]),
        ("《红楼梦》，曹雪芹。", ["红", "楼", "梦", "曹", "雪", "芹"]),
        ("New York 纽约", ["new", "york", "纽", "约"]),
        ("约 3.5 万", ["约", "3.5", "万"]),
        ("A-B组", ["ab", "组"]),
        ("，。", []),
        ("", []),
    ],
)
def test_segments(text, expected):
    assert segments(text) == expected


def test_bare_text():
    assert bare(" 《IBM》：公司… ") == "ibm公司…"


@pytest.mark.parametrize(
    "first, second, expected",
    [
        ("abcde", "xbcdy", 3),
        ("abc", "abc", 3),
        ("abc", "xyz", 0),
        ("abab", "baba", 3),
        ("", "abc", 0),
        ("axb", "ab", 1),
    ],
)
def test_longest_common_run(first, second, expected):
    assert longest_common(list(first), list(second)) == expected


@pytest.mark.parametrize(
    "prediction, reference, expected",
    [
        ("北京大学", "北京大学", 1.0),
        ("在北京大学", "北京大学", 2 * 4 / 9),
        ("北大京学", "北京大学", 2 * 1 / 8),  # contiguous: no two characters in a row are shared
        ("北京，大学", "北京大学", 1.0),
        ("上海", "北京", 0.0),
        ("", "北京", 0.0),
        ("北京", "", 0.0),
        ("", "", 0.0),  # as in the official script
    ],
)
def test_f1_of_one_answer(prediction, reference, expected):
    assert f1(prediction, reference) == pytest.approx(expected)


def test_cmrc2018_by_hand():
    predictions = [{"answer": "在北京大学"}, {"answer": "《红楼梦》"}, {"answer": ""}]
    references = [["北京", "北京大学"], ["红楼梦"], []]
    f1_mean, exact_mean = 100 * (8 / 9 + 1 + 1) / 3, 200 / 3
    assert cmrc2018(predictions, references) == {
        "cmrc2018_average": pytest.approx((f1_mean + exact_mean) / 2),
        "cmrc2018_f1": pytest.approx(f1_mean),
        "cmrc2018_exact_match": pytest.approx(exact_mean),
    }
