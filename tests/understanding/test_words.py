"""Words of texts in any script, what a query asks for, and literals that are text and no syntax."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.understanding.words import (
    LONGEST,
    MOST,
    fold,
    latin_words,
    one_typo_away,
    query_literal,
    query_terms,
    tokens,
    vector_literal,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Amélie", "amelie"),
        ("STRASSE Straße", "strasse strasse"),
        ("Ｃａｆｅ　２", "cafe 2"),
        ("Schindler's and Schindler’s", "schindlers and schindlers"),
        ("'quoted'", "'quoted'"),
        ("Ťřetí Ørsted", "treti ørsted"),  # a stroke is a letter of its own
        ("가나", "가나"),  # composed again, or a syllable would be three letters
    ],
)
def test_case_accents_and_width_make_no_difference(text, folded):
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Heat (1995), snake_case", ["heat", "1995", "snake", "case"]),
        ("科幻片", ["科", "幻", "片", "科幻", "幻片"]),
        ("猫", ["猫"]),
        ("iPhone手机15", ["iphone", "手", "机", "手机", "15"]),
        ("となりのトトロ", [*"となりのトトロ", "とな", "なり", "りの", "のト", "トト", "トロ"]),
        ("Москва 北京", ["москва", "北", "京", "北京"]),
        ("… -- !", []),
        ("", []),
    ],
)
def test_tokens_are_words_and_of_a_run_of_chinese_characters_and_pairs(text, found):
    assert tokens(text) == found


def test_what_is_too_long_is_no_word_and_a_text_has_an_end():
    assert tokens("a" * LONGEST + " " + "b" * (LONGEST + 1)) == ["a" * LONGEST]
    assert len(tokens("word " * (MOST + 5))) == MOST
    assert query_terms("b" * (LONGEST + 1)) == []


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("the lord of the rings", ["lord", "rings"]),
        ("to be", ["to", "be"]),  # nothing else is there
        ("space SPACE Space", ["space"]),
        ("科幻片", ["科幻", "幻片"]),
        ("猫 and 犬", ["猫", "犬"]),
        ("", []),
    ],
)
def test_a_query_asks_for_what_says_something(query, terms):
    assert query_terms(query) == terms


def test_a_query_asks_for_32_terms_at_most():
    assert query_terms(" ".join(f"w{n}" for n in range(99))) == [f"w{n}" for n in range(32)]


@given(st.text(max_size=80))
def test_what_a_query_asks_for_stands_in_a_text_that_says_the_same(text):
    assert set(query_terms(text)) <= set(tokens(text))


def test_a_tsvector_keeps_places_and_weights_over_all_parts():
    assert vector_literal([("red", "A"), ("blue red", "C")]) == "'red':1A,3C 'blue':2C"
    assert vector_literal([]) == ""


def test_a_word_has_20_places_at_most_and_places_end_where_postgresql_ends_them():
    assert vector_literal([("a " * 50, "D")]).count("D") == 20
    long = [(" ".join(f"w{n}x{part}" for n in range(MOST)), "D") for part in range(9)]
    assert vector_literal(long).endswith("'w1999x8':16000D")


def test_a_tsquery_takes_all_or_any_of_several_spellings():
    asked = [["alein", "alien"], ["space"]]
    assert query_literal(asked, all_of=True) == "('alein' | 'alien') & ('space')"
    assert query_literal(asked, all_of=False) == "('alein' | 'alien') | ('space')"
    assert query_literal([["it's", "back\\slash"]], all_of=True) == r"('it''s' | 'back\\slash')"


@pytest.mark.django_db
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60))
def test_postgresql_finds_any_text_by_its_own_words(text):
    terms = query_terms(text)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s::tsvector @@ %s::tsquery",
            [
                vector_literal([(text, "A")]),
                query_literal([[term] for term in terms], all_of=True),
            ],
        )
        assert cursor.fetchone() == (bool(terms),)


def test_words_that_are_forgiven_a_typo_are_latin_and_not_short():
    assert latin_words("The Alien of 1979 in 科幻 кино café e-mail") == {"alien", "cafe", "mail"}
    assert latin_words("x" * 41) == set()


@pytest.mark.parametrize(
    "typed", ["lien", "aalien", "alein", "alian", "alienx", "xalien", "aline", "alie"]
)
def test_a_slip_is_a_letter_too_many_too_few_wrong_or_two_swapped(typed):
    assert typed in one_typo_away("alien")


@pytest.mark.parametrize("typed", ["alien", "leina", "alienxx", "alxxn", "ien"])
def test_no_slip_and_two_slips_are_not_one(typed):
    assert typed not in one_typo_away("alien")


@pytest.mark.parametrize("word", ["cat", "amélie", "科幻电影", "r2d2x", "x" * 41, ""])
def test_other_words_have_no_slips(word):
    assert one_typo_away(word) == []


@given(st.text("abcz", min_size=4, max_size=7), st.data())
def test_a_word_is_one_slip_from_each_of_its_slips(word, data):
    slip = data.draw(st.sampled_from([w for w in one_typo_away(word) if len(w) >= 4]))
    assert word in one_typo_away(slip)
    assert one_typo_away(word) == sorted(set(one_typo_away(word)) - {word})
