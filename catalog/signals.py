"""Announcements: something changed, said inside the transaction that changed it.

Whoever listens may insert rows and nothing slower, so that fact and work are committed together.
"""

from django.dispatch import Signal

item_changed = Signal()  # item_ids: list[int]; what is said of the items, or whether they show
feedback_recorded = Signal()  # user_ids: list[int]; also when feedback was retracted
mail_wanted = Signal()  # mail_ids: list[int]; of rows that say what to send
person_erased = Signal()  # erasure_id: int; they are gone for everybody, their rows are still there
archive_asked = Signal()  # archive_id: int
# guest_id, member_id: int; whoever keeps something of people makes it the member's, or drops it
person_merged = Signal()
