"""An archive holds all that is a person's and nobody else's, and is fetched by them alone."""

import csv
import io
import json
import tracemalloc
import zipfile
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from catalog import exporting, kept, personal_data
from catalog.models import Archive, ArchivePart, Feedback
from recommender import tasks
from recommender.models import Job
from tests.api.test_errors import is_problem
from tests.conftest import client_of
from tests.factories import give, import_feedback, make_item
from tests.privacy.conftest import busy

pytestmark = pytest.mark.django_db
EXPORT = "/api/v1/me/export/"


def work() -> None:
    tasks.archive.apply(
        args=[list(Job.objects.filter(kind="archive").values_list("pk", flat=True))]
    )


def fetched(client: APIClient) -> zipfile.ZipFile:
    client.post(EXPORT)
    work()
    answer = client.get(client.get(EXPORT).json()["download"])
    assert answer["Content-Type"] == "application/zip"
    assert answer["Cache-Control"] == "private, no-store"
    body = b"".join(answer.streaming_content)
    assert len(body) == int(answer["Content-Length"])
    return zipfile.ZipFile(io.BytesIO(body))


def text_of(archive: zipfile.ZipFile) -> str:
    return "\n".join(archive.read(name).decode() for name in archive.namelist())


def test_an_archive_holds_all_of_one_and_nothing_of_another(shop):
    (ann, of_ann), (ben, of_ben) = busy("sentinelann", shop), busy("sentinelben", shop)
    for person, own, others in ((ann, of_ann, of_ben), (ben, of_ben, of_ann)):
        text = text_of(fetched(client_of(person)))
        # A guest's id is nothing but a former name of the row.
        assert [word for word in own if word not in text] == [own[1]]
        assert [word for word in others if word in text] == []


def test_each_registered_kind_has_its_file_with_all_its_rows(shop, version):
    ann, _ = busy("sentinelann", shop)
    archive = fetched(client_of(ann))
    kinds = [kind for kind in personal_data.kept() if kind.export is not None]
    assert {f"{kind.name}.json" for kind in kinds} == set(archive.namelist()) - {
        "README.txt",
        "feedback.csv",
    }
    counts = {kind.name: len(json.loads(archive.read(f"{kind.name}.json"))) for kind in kinds}
    assert {name for name, count in counts.items() if count == 0} == set()
    assert counts["catalog.Feedback"] == Feedback.objects.filter(user=ann).count() == 12


def test_it_says_what_was_told_of_which_item_by_public_ids(as_alice, alice, shop):
    give(alice, shop[0], "comment", text="lovely")
    [row] = json.loads(fetched(as_alice).read("catalog.Feedback.json"))
    assert (row["kind"], row["text"], row["title"]) == ("comment", "lovely", "kettle 0")
    assert row["of_item"] == str(shop[0].uuid)
    assert not {"id", "user_id", "item_id"} & row.keys()


def test_no_cell_is_run_by_a_spreadsheet(as_alice, alice):
    said = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "plain, text"]
    for n, text in enumerate(said):
        import_feedback(alice, make_item(f"={n}"), "comment", text=text)
    rows = list(csv.DictReader(io.StringIO(fetched(as_alice).read("feedback.csv").decode(), "")))
    assert [row["text"] for row in rows] == [f"'{text}" for text in said[:-1]] + ["plain, text"]
    assert {row["title"][:2] for row in rows} == {"'="}


def test_the_state_is_told_and_one_is_made_at_a_time(as_alice, alice):
    assert as_alice.get(EXPORT).json()["state"] == "none"
    first = as_alice.post(EXPORT)
    assert (first.status_code, first.json()["state"], first.json()["download"]) == (
        *(202, "waiting"),
        None,
    )
    as_alice.post(EXPORT)
    assert (Archive.objects.count(), Job.objects.filter(kind="archive").count()) == (1, 1)
    work()
    ready = as_alice.get(EXPORT).json()
    assert ready["state"] == "ready"
    assert ready["bytes"] == Archive.objects.get().size > 100
    assert as_alice.post(EXPORT).json() == ready  # of a moment ago
    Archive.objects.update(ready_at=F("ready_at") - timedelta(hours=2))
    assert as_alice.post(EXPORT).json()["state"] == "waiting"
    assert not ArchivePart.objects.exists()


def test_another_persons_archive_is_not_there(as_alice, as_bob, alice):
    as_alice.post(EXPORT)
    work()
    address = as_alice.get(EXPORT).json()["download"]
    assert as_alice.get(address).status_code == 200
    missing = as_bob.get(f"{EXPORT}{alice.uuid}/archive/")
    theirs = as_bob.get(address)
    assert is_problem(theirs, 404)
    assert theirs.content == missing.content
    assert is_problem(APIClient().get(address), 401)
    web = Client()
    web.force_login(alice)
    path = f"/account/export/{Archive.objects.get().uuid}/"
    assert web.get(path).status_code == 200
    assert Client().get(path).status_code == 302
    web.force_login(type(alice).objects.get(email="bob@example.org"))
    assert web.get(path).status_code == 404


def test_after_a_week_it_is_gone(as_alice, settings):
    as_alice.post(EXPORT)
    work()
    archive = Archive.objects.get()
    assert archive.expires_at - archive.ready_at == timedelta(days=settings.EXPORT_DAYS == 7 and 7)
    address = as_alice.get(EXPORT).json()["download"]
    Archive.objects.update(expires_at=timezone.now())
    assert is_problem(as_alice.get(address), 404)
    assert as_alice.get(EXPORT).json()["state"] == "expired"
    tasks.exporting.forget_expired()
    assert not ArchivePart.objects.exists()


def test_memory_is_flat_however_much_there_is(alice, monkeypatch):
    monkeypatch.setattr(exporting, "PART_BYTES", 16 * 1024)
    monkeypatch.setattr(kept, "TOGETHER", 100)
    item = make_item("kettle")
    exporting.ask(alice)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO catalog_feedback (uuid, user_id, item_id, kind, text, occurred_at, digest)"
            " SELECT gen_random_uuid(), %s, %s, 'comment', ("
            " SELECT string_agg(md5((n * k)::text), '') FROM generate_series(1, 60) k), now(), ''"
            " FROM generate_series(1, 2000) n",
            [alice.pk, item.pk],
        )
    tracemalloc.start()
    exporting.make(Archive.objects.get().pk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6  # of 3.8 MB of texts
    archive = Archive.objects.get()
    assert b"".join(exporting.bytes_of(archive))[:2] == b"PK"
    assert ArchivePart.objects.count() == -(-archive.size // exporting.PART_BYTES)


def test_an_operators_export_is_counted_first_and_kept_on_record(as_alice, alice, tmp_path, caplog):
    def command(**options) -> str:
        out = StringIO()
        call_command("export_person", "alice@example.org", stdout=out, **options)
        return out.getvalue()

    give(alice, make_item("kettle"))
    assert "1 catalog.Feedback" in command()
    assert not Archive.objects.exists()
    out = tmp_path / "alice.zip"
    command(out=out)
    assert "alice@example.org" in text_of(zipfile.ZipFile(out))
    assert out.stat().st_mode & 0o077 == 0
    assert Archive.objects.get().by == "operator"
    assert "an operator exported" in caplog.text
    assert "alice" not in caplog.text
    assert as_alice.get(EXPORT).json()["state"] == "none"  # it was not theirs
    assert '"operator"' in text_of(fetched(as_alice))  # and they see that it was done
    with pytest.raises(CommandError, match="cannot be written"):
        command(out=out)


def test_the_page_has_the_state_and_works_without_reload(alice):
    web = Client()
    web.force_login(alice)
    page = web.get("/account/").content.decode()
    assert 'id="export" hx-get="/account/export/" hx-trigger="load"' in page
    assert 'href="/account/export/"' in page
    assert web.post("/account/export/")["Location"] == "/account/export/"
    assert "Look again" in web.get("/account/export/").content.decode()
    part = web.get("/account/export/", headers={"HX-Request": "true"}).content.decode()
    assert part.startswith('<div id="export"')
    assert 'hx-trigger="every 2s"' in part
    work()
    ready = web.get("/account/export/").content.decode()
    address = f"/account/export/{Archive.objects.get().uuid}/"
    assert f'href="{address}"' in ready
    assert "every 2s" not in ready
    assert web.get(address).streaming
