"""Search finds by words and by meaning, in English and Chinese, and forgives one slip."""

import pytest

from recommender import search as story
from recommender.embeddings.encoder import EncoderUnavailable
from recommender.search import search
from tests.factories import embed_and_learn, make_item

pytestmark = pytest.mark.django_db


@pytest.fixture
def library():
    make_item("Alien", description="A crew in deep space meets a creature", categories=["horror"])
    make_item("Space odyssey", description="Deep space and a machine", categories=["sci-fi"])
    make_item("流浪地球", description="一部中国科幻电影", categories=["sci-fi"])
    make_item("科幻世界", description="杂志")
    make_item("Amélie", description="A shy waitress in Paris", creator="Jean-Pierre Jeunet")
    make_item("Cooking for two", description="Dinners without space for waste")
    embed_and_learn()


def titles(query: str, limit: int = 10) -> list[str]:
    return [facts.title for facts in search(query, limit=limit).items]


@pytest.fixture
def by_words(monkeypatch):
    """The encoder does not answer."""

    def down(space, texts):
        raise EncoderUnavailable("no answer")

    monkeypatch.setattr(story, "encode_queries", down)


def test_a_word_in_the_title_comes_before_one_in_the_description(library, by_words):
    assert titles("space")[0] == "Space odyssey"
    assert "Alien" in titles("space")


def test_all_words_come_before_some_of_them(library, by_words):
    assert titles("space creature") == ["Alien", "Space odyssey", "Cooking for two"]


def test_chinese_words_are_found_inside_titles_and_texts(library, by_words):
    assert titles("科幻") == ["科幻世界", "流浪地球"]
    assert titles("球") == ["流浪地球"]


def test_accents_and_case_do_not_matter(library, by_words):
    assert titles("AMELIE") == ["Amélie"]
    assert titles("amélie jeunet") == ["Amélie"]


@pytest.mark.parametrize("typed", ["alein", "aliem", "alienn", "alen"])
def test_one_slip_is_forgiven(library, by_words, typed):
    found = search(typed)
    assert found.items[0].title == "Alien"
    assert found.corrected == {typed: "alien"}


def test_of_two_words_that_may_be_meant_the_commoner_is_taken(library, by_words):
    make_item("Spice")
    embed_and_learn()
    assert search("spce").corrected == {"spce": "space"}


def test_a_word_that_is_there_is_not_corrected(library, by_words):
    assert search("space").corrected == {}


def test_two_slips_are_not_forgiven(library, by_words):
    assert titles("zlienz") == []


def test_without_the_encoder_words_answer_and_say_so(library, by_words):
    assert search("alien").by_meaning is False


def test_with_the_encoder_meaning_finds_what_words_do_not_rank(library):
    found = search("deep space")
    assert found.by_meaning is True
    assert {facts.title for facts in found.items[:2]} == {"Alien", "Space odyssey"}


def test_an_edited_item_is_found_by_its_new_words_alone(library, by_words):
    from catalog import services
    from catalog.models import Item

    item = Item.objects.get(title="Alien")
    item.title = "Predator"
    services.save_item(item)
    embed_and_learn()
    assert titles("predator") == ["Predator"]
    assert titles("alien") == []


@pytest.mark.parametrize(
    "query", ["'", "\\", "a & b | !c", "(:*)", "<->", "'; drop table", "🎬", " "]
)
def test_odd_characters_are_text_and_no_syntax(library, query):
    assert isinstance(search(query).items, list)


def test_a_long_query_is_cut(library):
    assert isinstance(search("space " * 1000).items, list)
