"""A first list, by the typed client that `make client` puts into build/.

Needs httpx and attrs: PYTHONPATH=build python docs/examples/client.py http://127.0.0.1:8000
"""

import sys
from uuid import uuid4

from medley_client import AuthenticatedClient, Client
from medley_client.api.accounts import auth_guest_create
from medley_client.api.feedback import feedback_create
from medley_client.api.me import me_partial_update, me_wishes_create
from medley_client.api.recommendations import recommendations_retrieve
from medley_client.models import FeedbackInRequest, FeedbackKindEnum, Problem
from medley_client.models import PatchedMeInRequest as Me
from medley_client.models import WishInRequest as Wish

address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
guest = auth_guest_create.sync(client=Client(address))
me = AuthenticatedClient(address, token=guest.token, prefix="Token")

me_partial_update.sync(client=me, body=Me(consent=True))
me_wishes_create.sync(client=me, body=Wish(text="slow science fiction"))
first = recommendations_retrieve.sync(client=me, limit=5)
liked = FeedbackInRequest(
    id=uuid4(), item=first.results[0].item.id, kind=FeedbackKindEnum.LIKE, served=first.id
)
feedback_create.sync(client=me, body=liked)
for row in recommendations_retrieve.sync(client=me, limit=5, diversity=0.5).results:
    print(row.rank, row.item.title, "·", row.reason.text if row.reason else "")

refused = recommendations_retrieve.sync(client=me, limit=1000)
print(refused.detail if isinstance(refused, Problem) else "taken")
