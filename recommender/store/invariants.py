"""What must hold whatever happened, each as a statement that counts what breaks it."""

from django.db import connection, transaction

from recommender.models import Job

# One live opinion, and no more, on an item that some opinion stands for.
ONE_OPINION = """
    SELECT count(*) FROM (
        SELECT 1 FROM catalog_feedback
        WHERE retracted_at IS NULL AND kind IN ('like', 'dislike', 'rating', 'hide')
        GROUP BY user_id, item_id HAVING count(*) FILTER (WHERE superseded_at IS NULL) <> 1
    ) broken"""
EMBEDDED = """
    SELECT count(*) FROM catalog_item i
    JOIN recommender_embeddingspace s ON s.status = 'active'
    WHERE i.is_available AND i.removed_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM recommender_itemembedding e
                    WHERE e.item_id = i.id AND e.space_id = s.id)
    AND NOT EXISTS (SELECT 1 FROM recommender_job j
                    WHERE j.kind IN ('embed', 'refill') AND j.key = i.id
                    AND j.done_at IS NULL)"""
READ = """
    SELECT count(*) FROM catalog_item i
    JOIN recommender_embeddingspace s ON s.status = 'active'
    JOIN recommender_itemembedding e ON e.item_id = i.id AND e.space_id = s.id
    WHERE i.is_available AND i.removed_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM recommender_itemreading r
                    WHERE r.item_id = i.id AND r.fingerprint = e.fingerprint)
    AND NOT EXISTS (SELECT 1 FROM recommender_job j WHERE j.kind IN ('embed', 'understand')
                    AND j.key = i.id AND j.done_at IS NULL)"""
LEARNED = """
    SELECT count(*) FROM (
        SELECT user_id, max(greatest(received_at, retracted_at)) AS newest
        FROM catalog_feedback GROUP BY user_id
    ) f
    JOIN catalog_user u ON u.id = f.user_id AND u.erased_at IS NULL
    LEFT JOIN recommender_candidates c ON c.user_id = f.user_id
    WHERE coalesce(c.refreshed_at < f.newest, true)
    AND NOT EXISTS (SELECT 1 FROM recommender_job j
                    WHERE j.kind = 'learn' AND j.key = f.user_id AND j.done_at IS NULL)"""
NOT_FORGOTTEN = """
    SELECT count(*) FROM recommender_job
    WHERE done_at IS NULL AND parked_at IS NULL AND due_at < now() - interval '5 minutes'"""
UNIT_LENGTH = """
    SELECT count(*) FROM recommender_itemembedding
    WHERE NOT l2_norm(embedding) BETWEEN 0.99 AND 1.01"""
OWN_DIMENSION = """
    SELECT count(*) FROM recommender_itemembedding e
    JOIN recommender_embeddingspace s ON s.id = e.space_id
    WHERE vector_dims(e.embedding) <> s.dimension"""
# The rows of a person who was erased a while ago, in all tables with a foreign key to people.
OF_PEOPLE = """
    SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    WHERE c.contype = 'f' AND c.confrelid = 'catalog_user'::regclass AND c.conparentid = 0
    AND c.conrelid <> 'django_admin_log'::regclass"""
ERASED = """
    SELECT count(*) FROM {table} t JOIN catalog_user u ON u.id = t.{column}
    WHERE u.erased_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM catalog_erasure e
        JOIN recommender_job j ON j.kind = 'erase' AND j.key = e.id AND j.done_at IS NULL
        WHERE e.person_id = u.id)"""
OF_JOBS = f"""
    SELECT count(*) FROM recommender_job j JOIN catalog_user u ON u.id = j.key
    WHERE j.kind IN {Job.OF_PEOPLE} AND u.erased_at IS NOT NULL"""
NAMELESS = """
    SELECT count(*) FROM catalog_user WHERE erased_at IS NOT NULL AND (name <> '' OR is_active
        OR email IS NOT NULL OR coalesce(external_id NOT LIKE 'erased:%', false))"""
WISHES = """
    SELECT count(*) FROM recommender_wish w
    WHERE w.removed_at IS NULL AND (w.embedding IS NULL OR w.is_provisional)
    AND NOT EXISTS (SELECT 1 FROM recommender_job j
                    WHERE j.kind = 'wish' AND j.key = w.user_id AND j.done_at IS NULL)"""
WHOLE_INDEXES = """
    SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE NOT i.indisvalid AND c.relname LIKE 'itemembedding_%'"""
INVARIANTS = {
    "each person has one live opinion on an item that any opinion stands for": ONE_OPINION,
    "each shown item has a vector in the active space, or work that will make it": EMBEDDED,
    "each shown item's topics are those of its vector, or there is work that will": READ,
    "feedback has been learned from, or there is work that will": LEARNED,
    "no open job has been forgotten": NOT_FORGOTTEN,
    "vectors have unit length": UNIT_LENGTH,
    "vectors have the dimension of their space": OWN_DIMENSION,
    "an erased person has no name, address or id of another system": NAMELESS,
    "no work waits for an erased person": OF_JOBS,
    "each wish has its own vector, or work that will make it": WISHES,
    "no index was left half built": WHOLE_INDEXES,
}


NOTHING_LEFT = "no row belongs to an erased person, or there is work that will erase it"


def _count(cursor, statement: str) -> int:
    cursor.execute(statement)
    return cursor.fetchone()[0]


def broken_invariants() -> dict[str, int]:
    """How many rows break each of the things that must hold."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        found = {}
        for name, statement in INVARIANTS.items():
            found[name] = _count(cursor, statement)
        cursor.execute(OF_PEOPLE)
        found[NOTHING_LEFT] = sum(
            _count(cursor, ERASED.format(table=table, column=column))
            for table, column in cursor.fetchall()
        )
    return found
