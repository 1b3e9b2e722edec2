"""An item's picture is fetched by a worker, kept by its address, and served by us."""

import io

import pytest
from PIL import Image

from catalog import services
from catalog.models import Item
from catalog.pictures import keep
from catalog.pictures.fetch import NotFetched
from recommender.models import Job
from tests.factories import make_item

pytestmark = pytest.mark.django_db
ADDRESS = "https://pictures.example/kettle.png"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FETCH_IMAGES, settings.PICTURES_FOLDER = True, tmp_path
    return tmp_path


@pytest.fixture
def internet(monkeypatch) -> dict[str, bytes]:
    out = io.BytesIO()
    Image.new("RGB", (900, 900), "green").save(out, "PNG")
    there = {ADDRESS: out.getvalue()}

    def fetched(address: str) -> bytes:
        if address not in there:
            raise NotFetched
        return there[address]

    monkeypatch.setattr(keep, "fetch", fetched)
    return there


def jobs() -> set:
    return set(Job.objects.filter(kind="image").values_list("key", flat=True))


def test_a_picture_is_fetched_kept_and_served(internet, client, as_alice):
    item = make_item("kettle", image_url=ADDRESS)
    assert jobs() == {item.pk}
    assert keep.refresh([item.pk]) == 1
    item.refresh_from_db()
    shown = as_alice.get(f"/api/v1/items/{item.uuid}/").json()["image_url"]
    assert shown == f"/pictures/{item.picture}"
    answer = client.get(shown)
    assert Image.open(io.BytesIO(answer.getvalue())).size == (640, 640)
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")
    assert f'src="{shown}"' in client.get(f"/items/{item.uuid}/").content.decode()


def test_a_picture_that_is_here_is_not_asked_for_again(internet):
    first, second = (make_item(f"kettle {n}", image_url=ADDRESS) for n in range(2))
    keep.refresh([first.pk])
    internet.clear()
    assert keep.refresh([first.pk, second.pk]) == 1
    assert len(set(Item.objects.values_list("picture", flat=True))) == 1


def test_another_address_is_another_picture_or_none(internet):
    item = make_item("kettle", image_url=ADDRESS)
    keep.refresh([item.pk])
    item.image_url = "https://pictures.example/gone.png"
    services.save_item(item)
    assert keep.refresh([item.pk]) == 0
    item.refresh_from_db()
    assert item.picture == ""


def test_what_changed_meanwhile_is_not_overwritten(internet, monkeypatch):
    item = make_item("kettle", image_url=ADDRESS)
    real = keep.fetch

    def slow(address: str) -> bytes:
        Item.objects.filter(pk=item.pk).update(image_url="https://pictures.example/new.png")
        return real(address)

    monkeypatch.setattr(keep, "fetch", slow)
    keep.refresh([item.pk])
    item.refresh_from_db()
    assert item.picture == ""


def test_without_the_setting_nothing_is_fetched(settings):
    settings.FETCH_IMAGES = False
    make_item("kettle", image_url=ADDRESS)
    assert jobs() == set()


@pytest.mark.parametrize(
    "name",
    ["0" * 40 + ".jpg", "..%2f..%2fetc%2fpasswd", "0" * 40 + ".jpg%00", "x.svg", "%0a" + "0" * 40],
)
def test_no_other_name_leads_to_a_file(client, folder, name):
    (folder / "x.svg").write_text("<svg/>")
    assert client.get(f"/pictures/{name}").status_code == 404
