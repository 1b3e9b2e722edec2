"""Filters beside none: how much is found, how much of it is the true nearest, how long it takes.

    python -m bench.filters ITEMS ROUNDS

Makes a scratch database, fills it, measures all of them in turns, and prints the rows of the table.
"""

import os
import statistics
import sys
import time

import numpy as np

from bench.site import scratch_database

NEAREST = 200
# What is asked for, in words and as a filter. Prices are 0 to 999 whatever the item is like; the
# tenth of the items that is least like what is searched for is in a language of its own.
FILTERS = {
    "none": None,
    "10 % of the items": "price < 100",
    "a category of 10 %": 'category = "category-3"',
    "1 %": "price < 10",
    "0.1 %": "price < 1",
    "the farthest 10 %": 'language = "far"',
}


def main(n_items: int, rounds: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    from bench import catalogue
    from catalog.models import User
    from recommender import learn, store
    from recommender.filtering.expression import parse
    from recommender.filtering.fields import FIELDS
    from recommender.recommend import recommend
    from recommender.store import Source

    call_command("migrate", verbosity=0)
    row = catalogue.fill(n_items, n_people=100)
    learn.refresh_popularity()
    space = store.Space(row.id, row.dimension)
    vectors, queries = catalogue.vectors(n_items), catalogue.queries(rounds)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM catalog_item ORDER BY id")
        ids = np.array(cursor.fetchall())[:, 0]
        far = ids[np.argsort(vectors @ queries[0])[: n_items // 10]].tolist()
        cursor.execute("UPDATE catalog_item SET price = mod(id * 7919, 1000)")
        cursor.execute("UPDATE catalog_item SET language = 'far' WHERE id = ANY(%s)", [far])
        cursor.execute("VACUUM ANALYZE")
        passing = {}
        for text in FILTERS.values():
            only = store.condition_of(parse(text, FIELDS)) if text else None
            cursor.execute(
                f"SELECT i.id FROM catalog_item i WHERE {only.sql if only else 'true'} ORDER BY 1",
                only.params if only else (),
            )
            passing[text] = only, np.searchsorted(ids, np.array(cursor.fetchall())[:, 0])

    searches = {text: [] for text in passing}
    lists = {text: [] for text in passing}
    recall = {text: [] for text in passing}
    missing = dict.fromkeys(passing, 0)
    people = list(User.objects.order_by("pk").values_list("pk", flat=True))
    for turn in range(-3, rounds):
        for text, (only, rows) in passing.items():
            query = queries[0] if text and "far" in text else queries[turn]
            with transaction.atomic():
                store.person_side(None)
                begun = time.perf_counter()
                sources = [Source(weight=1, vector=query, limit=NEAREST)]
                found = store.find(space, sources, seen=[], limit=NEAREST, only=only)
                searched = time.perf_counter() - begun
            begun = time.perf_counter()
            recommend(people[turn % len(people)], filter=text)
            listed = time.perf_counter() - begun
            if turn >= 0:
                near = rows[np.argsort(-(vectors[rows] @ query))[:NEAREST]]
                recall[text].append(np.isin(ids[near], found.ids).mean())
                missing[text] += len(near) - len(found.ids)
                searches[text].append(searched)
                lists[text].append(listed)
    connection.close()
    for name, text in FILTERS.items():
        search, whole = (statistics.median(of[text]) * 1000 for of in (searches, lists))
        print(
            f"| {name}{f': `{text}`' if text else ''} | {len(passing[text][1]):,} |"
            f" {missing[text]} | {np.mean(recall[text]):.3f} |"
            f" {search:.0f} | {search / (statistics.median(searches[None]) * 1000):.2f} |"
            f" {whole:.0f} | {whole / (statistics.median(lists[None]) * 1000):.2f} |"
        )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    with scratch_database():
        main(int(sys.argv[1]), int(sys.argv[2]))
