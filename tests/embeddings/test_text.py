"""What of an item is encoded, and how it is cut."""

import pytest

from recommender.embeddings.text import (
    GENERIC_TEXTS,
    MAX_ITEM_CHARACTERS,
    cut,
    item_text,
    well_formed,
)


def test_everything_that_is_known_stands_in_one_paragraph():
    text = item_text(
        "Alien",
        published_year=1979,
        categories=["Horror", "Science fiction"],
        creators=["Ridley Scott", "Dan O'Bannon"],
        description="With Sigourney Weaver. United States.",
    )
    assert text == (
        "Alien (1979). Horror, Science fiction. By Ridley Scott, Dan O'Bannon. "
        "With Sigourney Weaver. United States."
    )


def test_what_is_not_known_leaves_no_trace():
    assert item_text("Alien") == "Alien."


def test_a_year_in_the_title_is_not_said_twice():
    assert item_text("Alien (1979)", published_year=1979) == "Alien (1979)."
    assert item_text("流浪地球（2019）", published_year=2019) == "流浪地球（2019）."
    assert item_text("1984", published_year=1949) == "1984 (1949)."


def test_creators_whom_the_description_names_are_not_said_twice():
    text = item_text(
        "Alien", creators=["Ridley Scott", "H. R. Giger"], description="Directed by RIDLEY SCOTT."
    )
    assert text == "Alien. By H. R. Giger. Directed by RIDLEY SCOTT."


@pytest.mark.parametrize("title", ["Who is there?", "Airplane!", "谁在那里？", 'He said "no."'])
def test_a_title_that_ends_a_sentence_gets_no_full_stop(title):
    assert item_text(title) == title


def test_a_chinese_item_reads_as_chinese():
    text = item_text(
        "流浪地球", published_year=2019, categories=["科幻", "冒险"], description="郭帆执导。"
    )
    assert text == "流浪地球 (2019). 科幻, 冒险. 郭帆执导。"


def test_white_space_of_every_kind_becomes_one_space():
    assert item_text(" Blue\n\tkettle\u3000for\xa0tea ") == "Blue kettle for tea."


def test_empty_categories_and_creators_do_not_leave_commas():
    assert item_text("Alien", categories=["", "Horror"], creators=[""]) == "Alien. Horror."


def test_a_long_description_is_cut_at_the_end_of_a_word():
    text = item_text("Alien", description="kettle " * 1000)
    assert MAX_ITEM_CHARACTERS - 7 < len(text) <= MAX_ITEM_CHARACTERS
    assert text.endswith("kettle")


def test_a_cut_keeps_a_word_that_just_fits():
    assert cut("blue kettles boil", 12) == "blue kettles"
    assert cut("blue kettles boil", 13) == "blue kettles"
    assert cut("blue kettles boil", 11) == "blue"


def test_chinese_is_cut_between_any_two_characters():
    assert cut("推荐系统 recommends", 3) == "推荐系"
    assert cut("推荐kettle", 5) == "推荐"


def test_one_endless_word_is_cut_within():
    assert cut("x" * 3000, 2000) == "x" * 2000
    assert cut("a " + "x" * 3000, 2000) == "a " + "x" * 1998


def test_a_lone_surrogate_becomes_a_question_mark():
    assert well_formed("a\ud800b") == "a?b"
    assert len(well_formed("科" * 10_000)) == 8192


def test_the_generic_texts_are_many_short_and_all_different():
    assert len(GENERIC_TEXTS) == len(set(GENERIC_TEXTS)) == 60
    assert max(map(len, GENERIC_TEXTS)) <= 100
    chinese = [text for text in GENERIC_TEXTS if "\u4e00" <= text[0] <= "\u9fff"]
    assert len(chinese) == 30
