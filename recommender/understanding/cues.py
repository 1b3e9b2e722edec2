"""The words by which people say what they want and what they do not, in English and Chinese.

Patterns alone; `wishes` says what is made of them. Chinese text has half-width commas here.
"""

import re

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|《[^》]*》|「[^」]*」|『[^』]*』")
WORDS = re.compile(rf"[{HAN}]+|[^\W_{HAN}]+")


def any_of(*alternatives: str) -> str:
    return f"(?:{'|'.join(alternatives)})"


# --- where the say of a cue ends ----------------------------------------------------------------

BREAK = re.compile(
    any_of(
        r"(?<!\bdr)(?<!\bmr)(?<!\bmrs)(?<!\bms)(?<!\bst)[.!?]+(?=\s|$)",
        r"[;。！？\n]+",
        # “anything but” is a cue itself
        r"(?<!anything )(?<!everything )(?<!all )(?<!nothing )\bbut\b(?: also| rather)?",
        r"\bhowever\b|但是|但|不过|而是",
    ),
    re.I,
)
COMMA = re.compile(r"\s*,\s*")
OR = re.compile(r"\bn?or\b|或(?!许)", re.I)  # goes on with what is unwanted: no x, y or z
ASKS = re.compile(r"\s*(?:(?:i|we|just|please|give|show)\b|我|请|想|要|喜欢|给我|推荐|来)", re.I)

# --- cues of what is not wanted -----------------------------------------------------------------

_NO_CUE = any_of(
    r"nothing but",
    r"not (?:only|just|merely|necessarily|bad)\b",
    r"no (?:matter|doubt|one|problem)\b",
    "有没有|要不要|想不想|好不好|没有(?=[看听读玩]过)|不得不",
)
_DO_NOT = (
    r"(?:i |we |and |please )*"
    + any_of("do not|don['’]?t|cannot|can['’]?t|would not|wouldn['’]?t|am not|['’]m not|not")
    + r"(?: (?:want|like|love|need|enjoy|stand|bear|include|recommend|show me|give me"
    r"|care for|care about|interested in|(?:a )?(?:big )?fan of|keen on|fond of|into))?"
    r"(?: to (?:watch|see|read|hear|have))?"
)
_ENGLISH = (
    any_of(
        r"(?:anything|everything|all) but(?: for)?",
        r"nothing|no(?: more)?|none of|nor|neither|without|except(?:ing)?(?: for)?|excluding",
        r"(?:apart|aside) from|other than|rather than|instead of|free of",
        r"avoid(?:ing)?|skip(?:ping)?|leav(?:e|ing) out|less|fewer",
        _DO_NOT,
        r"(?:i |we )*(?:hate|dislike|detest)|(?:tired|sick|bored) of|fed up with",
    )
    + r"(?: (?:too|very|so|really|overly|that is|that's))?"
    + r"(?: (?:any|anything|a|an|the|all|another|with|about|like|involving|featuring|of"
    r"|kinds? of|sorts? of))*"
)
_CHINESE = (
    any_of(
        "不(?:想要|想|要|爱|太喜欢|喜欢|需要|希望)(?:再)?(?:看到|看|听|读|有|出现|来)?",
        "不看|不含|不带|不包含|不涉及|不太|不那么|没有",
        "讨厌|拒绝|避免|避开|排除|受不了",
        # 特别 and 告别 are other words
        r"(?<![^\s,。;!?请也就但])(?:千万)?别(?:再)?(?:给我|推荐|来|要|有|看|放)*",
    )
    + "(?:任何|什么|太多|太)?"
)
CUES = re.compile(rf"{_NO_CUE}|(?P<en>(?<![\w-]){_ENGLISH}(?![\w-]))|(?P<han>{_CHINESE})", re.I)
# What stands before 的 is unwanted then, what stands behind it is wanted: 没有英雄的科幻片.
RELATIVE = ("没有", "不含", "不带", "不包含", "不涉及", "不太", "不那么")
BEHIND = re.compile(
    "(?:之类的|什么的)?(?:我)?(?:就|都|也|可以)?"
    r"(?:不要|不想看|不看|不喜欢|不行|不用|免了|免|算了|除外|看腻|腻)(?:了|吧)?\s*$"
)
EXCEPT = re.compile(
    "除(?:了|去|开)(?P<what>[^,]+?)(?:以外|之外|外)?(?P<rest>,|都|什么|其他|其它|还|也|$)"
)
BESIDES = re.compile(r"\s*,?\s*(?:我)?[还也]")
ALL_ELSE = re.compile("(?:其他|其它|别的)?(?:的)?(?:什么)?(?:我)?都(?:可以|行|好|要|想看|喜欢|看)?")

# --- what only leads to what is meant -----------------------------------------------------------

LEAD = re.compile(
    r"[\s,、:~—–-]+|"
    + any_of(
        "and|or|nor|so|also|then|only|just|please|maybe|perhaps|preferably|ideally|hi|hello",
        "instead|more|some|something|anything|everything|a few|(?:lots|plenty|a lot|a bit) of",
        "not (?:only|just|merely|necessarily)|nothing but",
        "(?:i|we)(?: would|['’]d| am|['’]m)?(?: really)?"
        "(?: (?:want|like|love|need|enjoy|prefer|wish|feel like|looking|searching|in the mood))?"
        "(?: for)?(?: to (?:watch|see|read|hear|find|have|be))?",
        "(?:show|give|find|bring|get|recommend)(?: me| us)?|(?:looking|searching|in the mood) for",
        "with|about|like|featuring|involving|containing|(?:that|which) (?:is|are)|the|a|an",
    )
    + r"(?![\w'’-])|"
    + any_of(
        "请|我们|我|(?:特别|非常|很|最|更|只|就|还|也)?(?:想要|想|喜欢|爱)(?:看|听|读)",
        "(?:特别|非常|很|最|更|只|就|还|也)?(?:想要|喜欢|希望)|要看|想|要(?![塞案])",
        "推荐|给我|有没有|多?来(?:一)?(?:点|些|部)|多一?[点些]|更多|一[些点部]|几部|关于",
        "和(?![平服尚声])|或者|以及|还有|最好",
    ),
    re.I,
)
TAIL = re.compile(
    r"(?:[\s,、.!?。:~—–-]+|\b"
    + any_of(
        "and|or|nor|please|thanks|thank you|too|as well|either|at all|anymore|any more|instead",
        "etc|so on|with|that|which|who|where|have|has|having|is|are|there|the|a|an",
    )
    + "|"
    + any_of(
        "吧|呢|啊|哦|嘛|吗|谢谢|就好|就行|就可以|即可|也可以|也行|都可以|都行|最好|更好",
        "之类|什么|等等|等|和|或者|或|的|了",
    )
    + ")$",
    re.I,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SAYS_NOTHING = _words(
    "a an and any anything are as at be but by can could do everything for from get give good"
    " great have hello hi how i if in is it just like love lots me more my need no nor not of ok"
    " okay on only or nothing please recommend show so some something thanks that the there this to"
    " too us very want watch see read what with would you your we dont cant im id"
)
SAYS_NOTHING_HAN = re.compile(
    "[的了吗吧呢啊哦我你您他她它们想要看听读给来点些个部是有不没别请和或也都就很太多少一几什么这那好行可以]"
    "|推荐|谢谢|喜欢|爱|东西|随便|任何"
)

# --- lists --------------------------------------------------------------------------------------

AND = re.compile(
    r"\s*(?:,\s*)?\b(?:and also|as well as|and|or|nor|plus)\b\s*|\s*[,&+、]\s*"
    "|以及|还有|或者|和|与|或(?!许)",
    re.I,
)
# “films about mothers and daughters” are one thing.
GOVERNS = re.compile(
    r"\b(?:about|with|of|between|in|from|by|for|like|on|where|who|that|whose|set|both)\b", re.I
)
# Single words, not in the plural, that mean something by themselves.
STAND_ALONE = _words(
    "action adventure animation anime biography cartoon comedy cooking crime documentary drama"
    " fantasy fiction history horror jazz manga music musical mystery noir opera photography"
    " poetry romance satire scifi sport suspense technology theatre thriller travel war western"
)
HEADS = tuple(_words("片 剧 电影 小说 书 故事 动画 漫画 音乐 番 节目 新闻 游戏"))
