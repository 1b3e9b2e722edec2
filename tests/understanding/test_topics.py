"""Phrases of a text: each stands in it, in English, in Chinese and in mixtures of both."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.understanding.topics import (
    LONGEST,
    MOST,
    distinct,
    language_of,
    phrases,
    slug_of,
)


@pytest.mark.parametrize(
    ("text", "some"),
    [
        ("The murdered violinist of the sleeper train", ["murdered violinist", "sleeper train"]),
        ("A film with Tom Hanks and Meg Ryan", ["Tom Hanks", "Meg Ryan"]),
        ("Directed by Jane Campion. With Holly Hunter.", ["Jane Campion", "Holly Hunter"]),
        ("A new kettle from New York's old town", ["kettle", "New York", "town"]),
        ("We read The Lord of the Rings aloud", ["Lord of the Rings"]),
        ("深度学习方法在推荐系统中的应用", ["深度学习", "深度学习方法", "推荐系统"]),
        ("改编自刘慈欣的小说《三体》", ["三体", "小说"]),
        ("用 Python 编程入门", ["Python", "编程入门"]),
        ("Поезд в Казань", ["Поезд", "Казань"]),
    ],
)
def test_what_a_text_speaks_of_is_among_its_phrases(text, some):
    assert set(some) <= set(phrases("", text))


@pytest.mark.parametrize(
    ("text", "none"),
    [
        ("A film with Tom Hanks", ["Tom", "Hanks", "Hanks and Meg"]),  # a name is not cut
        ("it isn't what the council voted", ["isn't", "council voted", "voted"]),
        ("The best of the year 1995", ["best", "the year", "1995", "year 1995"]),
        ("red kettles, blue cups", ["kettles blue"]),  # no phrase crosses a comma
        ("一位老人的故事", ["一位", "的故事", "老"]),
        ("となりのトトロ", ["となり", "トトロ"]),  # no dictionary here reads Japanese
    ],
)
def test_what_says_nothing_or_was_cut_out_of_something_is_not(text, none):
    assert not set(none) & set(phrases("", text))


def test_in_a_title_where_each_word_has_a_capital_none_is_a_name():
    found = phrases("Easy Vegan Dinner for Busy Families")
    assert {"Vegan Dinner", "Busy Families"} <= set(found)
    assert "Lord of the Rings" in phrases("The Lord of the Rings: The Two Towers")


def test_what_is_known_of_an_item_is_no_news():
    found = phrases("A drama by Scott", "Of Ridley Scott.", known=["Drama", "Ridley Scott"])
    assert found == {}


def test_a_title_comes_before_its_text_and_a_text_has_an_end():
    words = [f"{a}{b}ing" for a in "bcdfghjklm" for b in "aeiou"]
    found = list(phrases("blue kettle", ", ".join(words)))
    assert found[0] == "blue kettle"
    assert len(found) == MOST


def test_a_phrase_is_written_as_in_the_middle_of_a_sentence_where_it_can_be():
    assert "wild yeast" in phrases("Wild yeast", "All about wild yeast")


@given(st.text(max_size=60), st.text(max_size=200))
def test_each_phrase_stands_in_the_title_or_the_text(title, text):
    for phrase in phrases(title, text):
        assert phrase.casefold() in title.casefold() or phrase.casefold() in text.casefold()


WORDS = (
    "the",
    "kettle",
    "Tom",
    "Hanks",
    "of",
    "2001",
    "É",
    "《三体》",
    "深度学习",
    "的",
    ",",
    "-",
    "'s",
)


@given(st.lists(st.sampled_from(WORDS), max_size=30), st.sampled_from(["", " "]))
def test_each_phrase_of_a_made_up_text_stands_in_it_and_has_a_form(words, between):
    text = between.join(words)
    found = phrases(text)
    assert all(phrase in text and len(phrase) <= LONGEST for phrase in found)
    assert all(slug_of(phrase) and 0 < form <= 1 for phrase, form in found.items())
    assert len({slug_of(phrase) for phrase in found}) == len(found) <= MOST


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Serial Killers", "serial killer"),
        ("serial killers", "serial killer"),
        ("café culture", "Cafe Culture"),
        ("Ｄｅｅｐ learning", "deep learning"),
        ("locked-room mystery", "locked room mystery"),
    ],
)
def test_two_writings_of_one_thing_are_one_topic(one, other):
    assert slug_of(one) == slug_of(other)


@pytest.mark.parametrize("word", ["physics", "boss", "Texas", "bus", "movies", "boxes", "gas"])
def test_an_s_that_makes_no_plural_stays(word):
    assert slug_of(word) == word.lower()


@given(st.text("abcdefs ", min_size=1, max_size=12))
def test_the_form_of_a_plural_stands_in_the_plural(phrase):
    assert slug_of(phrase).replace("-", " ") in " ".join(phrase.split())


@pytest.mark.parametrize(
    ("phrase", "language"),
    [("深度学习", "zh"), ("AI芯片", "zh"), ("トトロ", "ja"), ("kettle", "en"), ("кот", "")],
)
def test_a_language_is_told_by_its_script(phrase, language):
    assert language_of(phrase) == language


def test_of_two_phrases_that_hold_each_other_the_more_relevant_one_stays():
    texts = ["killer", "serial killer", "skill", "深度学习", "深度学习方法", "方法论"]
    relevance = np.array([0.4, 0.5, 0.3, 0.9, 0.8, 0.7])
    assert [texts[row] for row in distinct(texts, relevance)] == [
        "深度学习",
        "方法论",
        "serial killer",
        "skill",
    ]
    assert distinct([], np.zeros(0)).tolist() == []


def test_the_dictionary_of_chinese_is_loaded_only_where_there_is_chinese():
    code = (
        "import sys; from recommender.understanding.topics import phrases;"
        "phrases('a blue kettle'); print('jieba' in sys.modules);"
        "phrases('蓝色水壶'); print('jieba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"], done.stderr
