"""What a comment says of a thing: for it, against it, or neither, in English and in Chinese."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.understanding.sentiment import WORDS, both, lean, sentiment

FOR = """\
Great story, lovely pictures
Works as described, arrived quickly.
Not bad at all!
I could not put it down. Highly recommended.
The beginning is slow, but I loved the rest
Although it is expensive, it is excellent
never disappoints
I can’t recommend it enough
No problems so far, very happy with it :)
不错
很好看，强烈推荐！
一点也不无聊
虽然有点贵，但是很值得
没有任何缺点
价格不贵，质量很好
没想到这么好看
真的很喜欢，会再来
很喜歡這部電影
👍👍
❤️"""
AGAINST = """\
not good
Not worth the money.
Boring, a waste of time
I don't think this is good
The pictures are beautiful but the story is terrible
Do not buy this
stopped working after two days
It doesn't work
I wanted to like it, unfortunately it is dull
I wouldn’t recommend this to anyone
不好
没意思
没什么意思
画面很美，但是没意思
不值得买
太贵了
没有想象中好看
谈不上好看
还不错，就是太慢了，不推荐
沒有意思
👎
:("""
NEITHER = [
    "",
    "   ",
    "I bought it on Monday",
    "The book has 300 pages.",
    "今天到的货",
    "第三集",
    "？",
    "42",
]


@pytest.mark.parametrize("text", FOR.splitlines())
def test_this_speaks_for_a_thing(text):
    assert sentiment(text) > 0.3


@pytest.mark.parametrize("text", AGAINST.splitlines())
def test_this_speaks_against_a_thing(text):
    assert sentiment(text) < -0.3


@pytest.mark.parametrize("text", NEITHER)
def test_this_takes_no_side(text):
    assert sentiment(text) == 0


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("good", "very good"),
        ("slightly good", "good"),
        ("nice", "excellent"),
        ("very bad", "bad"),
        ("好看", "非常好看"),
        ("有点好看", "好看"),
        ("太慢", "慢"),
        ("It is good though slow", "It is good"),
        ("很美，但是很无聊", "很无聊，但是很美"),
        ("boring but charming, boring", "charming"),
    ],
)
def test_of_two_one_says_more(less, more):
    assert sentiment(less) < sentiment(more)


def test_what_comes_after_but_counts_more():
    assert sentiment("lovely but awkward") < 0 < sentiment("awkward but lovely")


def test_not_reaches_no_further_than_a_few_words_or_the_end_of_a_clause():
    assert sentiment("not a nice film") < 0
    assert sentiment("It is not here. Nice film.") > sentiment("It is not here nice")
    assert sentiment("不是很美") < 0 < sentiment("不是，很美很美")


def test_case_width_and_the_other_hand_change_nothing():
    assert sentiment("GREAT") == sentiment("ｇｒｅａｔ") == sentiment("great")
    assert sentiment("很喜歡") == sentiment("很喜欢")
    assert sentiment("I don’t like it") == sentiment("I don't like it")


def test_an_address_is_no_face():
    assert sentiment("https://example.org/d") == 0
    assert sentiment("oh :/ well") < sentiment("oh well")


def test_of_a_long_comment_the_beginning_and_the_end_are_read():
    middle = "page " * 300
    assert sentiment(f"great. {middle}") > 0
    assert sentiment(f"{middle} terrible") < 0
    assert sentiment(f"{middle} terrible {middle}") == 0


@given(st.text(max_size=1500))
def test_any_text_has_a_sign_from_minus_1_to_1_and_always_the_same(text):
    assert -1 <= sentiment(text) <= 1
    assert sentiment(text) == sentiment(text)


@given(st.lists(st.sampled_from(sorted(WORDS)), max_size=30))
def test_so_does_any_heap_of_listed_words(words):
    for together in (" ", "", ", "):
        assert -1 <= sentiment(together.join(words).replace("_", " ").replace("*", "")) <= 1


def test_listed_weights_are_from_minus_3_to_3():
    weights = [amount for role, amount in WORDS.values() if role == "word"]
    assert len(weights) > 2000
    assert min(weights) == -3
    assert max(weights) == 3
    assert 0 not in weights


PRAISE, COMPLAINTS = np.array([[1.0, 0.2], [1.0, -0.2]]), np.array([[0.0, 1.0]])


def test_a_text_leans_to_what_it_is_near():
    way = [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.75, 0.25], [2.0, -1.0]]
    assert lean(np.array(way), PRAISE, COMPLAINTS) == pytest.approx([1, -1, 0, 0.5, 3])


def test_an_encoder_that_cannot_tell_praise_from_complaint_says_nothing():
    assert lean(np.ones((2, 2)), PRAISE, PRAISE).tolist() == [0, 0]
    assert lean(np.zeros((0, 2)), PRAISE, COMPLAINTS).tolist() == []


def test_words_and_encoder_together_stay_on_the_scale():
    said = both(np.array([0.8, 0.8, -0.8, 0.0]), np.array([0.9, -0.2, 0.1, 0.4]))
    assert said == pytest.approx([1, 0, -0.1, 0.4])
