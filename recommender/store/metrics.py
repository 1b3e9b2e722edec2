"""What an operator watches: how much there is, and how much of it is covered."""

from django.db import connection

from recommender.store.sql import SHOWN

# Of what may be big, the estimate that the planner goes by: an exact count reads the whole table.
SIZES = f"""
    SELECT
        (SELECT count(*) FROM catalog_item i WHERE {SHOWN}),
        (SELECT count(*) FROM catalog_item i JOIN recommender_embeddingspace s
            ON s.status = 'active' JOIN recommender_itemembedding e
            ON e.item_id = i.id AND e.space_id = s.id WHERE {SHOWN}),
        (SELECT count(*) FROM catalog_user WHERE erased_at IS NULL AND is_active),
        (SELECT count(*) FROM recommender_candidates),
        (SELECT greatest(reltuples, 0)::bigint FROM pg_class
            WHERE oid = 'catalog_feedback'::regclass),
        (SELECT coalesce(extract(epoch FROM now() - max(activated_at)), -1)::bigint
            FROM recommender_modelversion WHERE status = 'active')
"""


def sizes() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(SIZES)
        names = (
            *("items_shown", "items_embedded", "people", "people_learned"),
            *("feedback_estimated", "version_age_seconds"),
        )
        return dict(zip(names, cursor.fetchone(), strict=True))
