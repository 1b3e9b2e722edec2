"""The text of an item that is encoded, and the generic texts that stand in for a small catalogue.

Only what says something about an item's content belongs here: a change of its text costs an
encoding, a change of price must not.
"""

import re
from collections.abc import Sequence

MAX_ITEM_CHARACTERS = 2_000  # about the 512 tokens a small model reads
MAX_TEXT_CHARACTERS = 8_192  # what an encoder is ever given of one text
MAX_WORD_CHARACTERS = 100  # a longer "word" is an address or noise, and is cut in the middle
CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
LAST_WORD = re.compile(rf"[^\s{CJK}]+$")
ENDS_A_SENTENCE = re.compile(r"[.!?…。！？][\"'”’»）)\]】」』]*$")


def item_text(
    title: str,
    *,
    published_year: int | None = None,
    categories: Sequence[str] = (),
    creators: Sequence[str] = (),
    description: str = "",
) -> str:
    """One paragraph, the most telling first, at most MAX_ITEM_CHARACTERS.

    categories  in the order of the item
    creators    those whom the description names are left out here

    >>> item_text("Alien", published_year=1979, categories=["Horror", "Science fiction"],
    ...           creators=["Ridley Scott"], description="With Sigourney Weaver.")
    'Alien (1979). Horror, Science fiction. By Ridley Scott. With Sigourney Weaver.'
    >>> item_text("流浪地球", published_year=2019, categories=["科幻"], description="郭帆执导。")
    '流浪地球 (2019). 科幻. 郭帆执导。'
    """
    title, description = collapse(title), collapse(description)
    if published_year and str(published_year) not in title:
        title = f"{title} ({published_year})"
    names = [collapse(name) for name in creators]
    unnamed = [name for name in names if name.casefold() not in description.casefold()]
    sentences = [
        title,
        ", ".join(filter(None, map(collapse, categories))),
        f"By {', '.join(unnamed)}" if unnamed else "",
        description,
    ]
    return cut(" ".join(map(end_sentence, filter(None, sentences))), MAX_ITEM_CHARACTERS)


def collapse(text: str) -> str:
    return " ".join(text.split())


def end_sentence(text: str) -> str:
    return text if ENDS_A_SENTENCE.search(text) else f"{text}."


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, without half a word at the end; Chinese is cut anywhere.

    >>> cut("blue kettles", 10), cut("blue kettles", 4), cut("蓝色水壶", 3)
    ('blue', 'blue', '蓝色水')
    """
    if len(text) <= limit:
        return text
    kept = text[:limit]
    half = LAST_WORD.search(kept)
    if half and LAST_WORD.match(text[limit]) and 0 < limit - half.start() <= MAX_WORD_CHARACTERS:
        kept = kept[: half.start()]
    return kept.rstrip()


def well_formed(text: str) -> str:
    """What a tokenizer accepts: at most MAX_TEXT_CHARACTERS, lone surrogates as question marks."""
    return text[:MAX_TEXT_CHARACTERS].encode(errors="replace").decode()


# A space subtracts the mean of its items. A catalogue of a few items has no mean worth the name,
# so these speak for the world: things to buy, read, watch, hear, visit, and questions for them.
GENERIC_TEXTS = (
    "A steel kettle that keeps water hot for two hours.",
    "Light running shoes with a soft sole, for roads and parks.",
    "Wooden toy blocks for children from three years on.",
    "An old carpenter teaches his granddaughter to build a boat.",
    "Two strangers share a night train and find out why they both left home.",
    "A quiet village is cut off by snow, and somebody has lied. Crime, Drama.",
    "A comedy about a wedding at which nothing goes as planned.",
    "A spaceship wakes its crew a century too early. Science fiction, Adventure.",
    "The city council votes on new bicycle lanes this evening.",
    "Prices of wheat fell for the third week after a good harvest.",
    "The home side won by a late goal and moves up to second place.",
    "Researchers describe a cheaper way to clean drinking water.",
    "Three days by the sea: small harbours, good fish and a lighthouse.",
    "How I learned to cook rice properly, with photographs of every mistake.",
    "An introduction to statistics for people who fear mathematics.",
    "The life of a painter who was famous only after her death. Biography.",
    "A slow piano album for rainy afternoons.",
    "Songs to dance to, recorded live in a full hall.",
    "What should I watch tonight with my parents?",
    "cheap laptop for students",
    "a birthday present for a ten year old",
    "books like the one I have just finished",
    "Does anybody else find the new version slower? Here is what helped me.",
    "Garden chairs made of recycled plastic, set of four.",
    "Warm winter jacket with a hood, many pockets, several colours.",
    "The king dies without an heir, and his three captains go to war. History.",
    "A nurse, a smuggler and a dog cross the desert. Adventure, Thriller.",
    "Animated film about a mouse who wants to be a postman. Family.",
    "Exercises for a stiff back that take five minutes a day.",
    "We visited the museum again after its repair and stayed until it closed.",
    "这款不锈钢保温杯能让热水保温一整天。",
    "适合城市通勤的轻便折叠自行车。",
    "给三岁以上孩子的木制积木玩具。",
    "一位老木匠教孙女造船的故事。",
    "两个陌生人在夜行列车上相遇，各自说出离家的原因。剧情。",
    "大雪封山，小村里有人说了谎。悬疑，犯罪。",
    "一场处处出错的婚礼引出的喜剧。",
    "飞船提前一百年唤醒了船员。科幻，冒险。",
    "市政府今晚讨论新的地铁线路。",
    "由于收成很好，小麦价格连续三周下跌。",
    "主队凭借最后时刻的进球取胜，升至第二名。",
    "研究人员提出了一种更便宜的净水方法。",
    "海边三日游：小渔港、海鲜和一座灯塔。",
    "我是怎样学会做一碗好面的，附上每一步的照片。",
    "写给害怕数学的人的统计学入门。",
    "一位画家的传记，她生前默默无闻。",
    "适合雨天午后听的钢琴专辑。",
    "现场录制的舞曲合集，节奏欢快。",
    "今晚和父母一起看什么电影好？",
    "学生用的便宜笔记本电脑",
    "送给十岁孩子的生日礼物",
    "和我刚读完的那本差不多的书",
    "有没有人觉得新版本变慢了？我是这样解决的。",
    "可回收塑料制成的花园椅，四把一套。",
    "带帽子的冬季保暖外套，口袋多，颜色齐全。",
    "国王去世后没有继承人，三位将军开战。历史。",
    "护士、走私者和一条狗穿越沙漠。惊悚，冒险。",
    "一只想当邮递员的小老鼠的动画片。家庭。",
    "每天五分钟，缓解背部僵硬的练习。",
    "博物馆修缮后我们又去了一次，一直待到闭馆。",
)
