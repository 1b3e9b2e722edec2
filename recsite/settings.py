"""Django settings. Every difference between deployments is an environment variable."""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONCE, SELF
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from recsite.env import env_bool, env_choice, env_float, env_int, env_list, env_shares, env_urls

BASE_DIR = Path(__file__).resolve().parent.parent

# Services and secrets: from the environment in production, else the embedded ones.
IS_PRODUCTION = bool(os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))
if IS_PRODUCTION:
    LOCAL = None
    DATA_FOLDER = Path(os.environ.get("MEDLEY_DATA", BASE_DIR / ".data"))
    DATABASE_URL, REDIS_URL = os.environ["DATABASE_URL"], os.environ["REDIS_URL"]
    ENCODER_PORT = env_int("ENCODER_PORT", 8090, low=1, high=65535)
    SECRET_KEY = os.environ.get("SECRET_KEY", "")
else:
    from recsite.local import services

    LOCAL = services.addresses()
    DATA_FOLDER = services.data_folder()
    DATABASE_URL = os.environ.get("DATABASE_URL") or LOCAL.database_url
    REDIS_URL = os.environ.get("REDIS_URL") or LOCAL.redis_url
    ENCODER_PORT = LOCAL.encoder_port
    SECRET_KEY = os.environ.get("SECRET_KEY") or LOCAL.secret_key

DEBUG = env_bool("DEBUG", False)
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "" if IS_PRODUCTION else "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")
# Former keys, while what was signed by them is still about: cursors, links in e-mails, sessions.
SECRET_KEY_FALLBACKS = env_list("SECRET_KEY_FALLBACKS")
if IS_PRODUCTION:
    for name, key in [
        ("SECRET_KEY", SECRET_KEY),
        *(("SECRET_KEY_FALLBACKS", key) for key in SECRET_KEY_FALLBACKS),
    ]:
        if len(key) < 50 or len(set(key)) < 10 or key.startswith("django-insecure-"):
            raise ImproperlyConfigured(
                f"{name}: give a random one of at least 50 characters, for example from "
                "python -c 'import secrets; print(secrets.token_urlsafe(64))'"
            )
    if DEBUG:
        raise ImproperlyConfigured("DEBUG: production wants False")
    # A dot before a whole domain of the registries is nearly as good as a star.
    if not ALLOWED_HOSTS or any(
        "*" in host or (host.startswith(".") and host.count(".") < 2) for host in ALLOWED_HOSTS
    ):
        raise ImproperlyConfigured("ALLOWED_HOSTS: give the names of the site, without a star")

INSTALLED_APPS = [
    "recsite.apps.OperatorsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_htmx",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "catalog",
    "recommender",
    "recsite",
]

MIDDLEWARE = [
    "recsite.middleware.RequestIdMiddleware",
    "recsite.middleware.CachesMiddleware",
    "recsite.middleware.ApiGZipMiddleware",
    "recsite.sunset.SunsetMiddleware",
    "recsite.errors.ProblemMiddleware",
    "recsite.rates.RatesMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "catalog.session_store.NoteUse",
    "recsite.middleware.ReplicasMiddleware",
]

ROOT_URLCONF = "recsite.urls"
WSGI_APPLICATION = "recsite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    },
]


def database(url: str, name: str = "DATABASE_URL") -> dict:
    """An entry of DATABASES from a URL of libpq: several hosts, options behind a question mark."""
    usual = ImproperlyConfigured(f"{name}: use postgresql://user:password@host:port/name")
    # Not by urlsplit, to which several hosts with brackets are none.
    if url.partition("://")[0] not in ("postgres", "postgresql"):
        raise usual
    try:
        given = conninfo_to_dict(url)
    except ProgrammingError:  # its message may hold the password
        raise usual from None
    if not given.get("dbname") or not given.get("port", "5432").replace(",", "0").isdecimal():
        raise usual
    if "," in given.get("host", ""):  # whichever of them takes writes, also after a failover
        given.setdefault("target_session_attrs", "read-write")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": given.pop("dbname"),
        "USER": given.pop("user", ""),
        "PASSWORD": given.pop("password", ""),
        "HOST": given.pop("host", ""),
        "PORT": given.pop("port", 5432),
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": env_bool("TRANSACTION_POOLING", False),
        "OPTIONS": {
            "connect_timeout": env_int("DATABASE_CONNECT_TIMEOUT", 3, low=1, high=60),
            # A request that waits longer than this has failed; workers raise it for bulk work.
            "options": f"-c statement_timeout={env_int('STATEMENT_TIMEOUT_MS', 5000)}"
            " -c lock_timeout=2000 -c idle_in_transaction_session_timeout=30000"
            f" {given.pop('options', '')}".rstrip(),
            **given,
        },
    }


# From so many times on a statement of store.sql.bound_cursor() is planned no more. A pooler that
# hands a connection to another after each transaction knows of no plans.
PREPARE_AFTER = None if env_bool("TRANSACTION_POOLING", False) else 5
DATABASES = {"default": database(DATABASE_URL)}
# Copies that follow the primary: lists are looked for there while they are no further behind.
REPLICAS = []
for number, url in enumerate(env_list("REPLICA_URLS"), start=1):
    REPLICAS.append(f"replica{number}")
    DATABASES[REPLICAS[-1]] = database(url, "REPLICA_URLS") | {
        # Each thread keeps its own: a pool would wait for a frozen server for ever. One that is
        # broken is noticed by the statement, which the primary answers then.
        "CONN_MAX_AGE": 1800,
        "CONN_HEALTH_CHECKS": False,
        "TEST": {"MIRROR": "default"},
    }
REPLICA_LAG_SECONDS = env_float("REPLICA_LAG_SECONDS", 5.0, low=0.5, high=3600)
if env_bool("DATABASE_POOL", False):  # web processes only: Celery closes a pool after each task
    DATABASES["default"]["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": env_int("DATABASE_POOL_SIZE", 4, low=1, high=100),
        "timeout": 5,
        "max_lifetime": 1800,
        # Then it begins anew with the next request: the pauses between tries grow with each, and
        # the site would stay away for as long again as its database was.
        "reconnect_timeout": 2,
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def redis_url(number: int) -> str:
    return f"{REDIS_URL.rsplit('/', 1)[0] if urlsplit(REDIS_URL).path else REDIS_URL}/{number}"


CACHES = {
    # Reads only, and a cache that is down is an empty cache.
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": redis_url(1),
        "OPTIONS": {
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": 0.2,
            "SOCKET_TIMEOUT": 0.2,
            "IGNORE_EXCEPTIONS": True,
            "LOG_IGNORED_EXCEPTIONS": True,
        },
    },
}

# Calls of the API are counted there; 0 is no limit.
RATES_URL = SHARED_URL = redis_url(1)
API_CALLS_A_MINUTE = env_int("API_CALLS_A_MINUTE", 600, low=0)  # of one person
API_CALLS_A_MINUTE_FROM_ONE_ADDRESS = env_int("API_CALLS_A_MINUTE_FROM_ONE_ADDRESS", 3000, low=0)

AUTH_USER_MODEL = "catalog.User"
AUTHENTICATION_BACKENDS = ["catalog.accounts.LimitedBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 3600  # seconds that the link of a mail is good for
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "for-you"
LOGOUT_REDIRECT_URL = "for-you"

SESSION_ENGINE = "catalog.session_store"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = IS_PRODUCTION
CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True  # forms carry the token, no script reads it
LANGUAGE_COOKIE_SAMESITE = "Lax"
if IS_PRODUCTION:
    # No other host below the same domain can set a cookie of these names.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
    LANGUAGE_COOKIE_NAME = "__Host-language"
SECURE_SSL_REDIRECT = IS_PRODUCTION and env_bool("SSL_REDIRECT", True)
SECURE_HSTS_SECONDS = 31_536_000 if IS_PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_PRODUCTION
SECURE_REFERRER_POLICY = "same-origin"
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^api/"]  # an API call is never sent on in clear
# How many proxies of ours stand before us: so many addresses of X-Forwarded-For, from its end, are
# taken for true. With none, the address of the connection alone.
TRUSTED_PROXIES = env_int("TRUSTED_PROXIES", 0, low=0, high=10)
BEHIND_PROXY = env_bool("BEHIND_PROXY", False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
PERMISSIONS_POLICY = {
    feature: []  # nothing here wants any of them
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
}
# Whether a worker fetches the pictures of items, which then come from here alone.
FETCH_IMAGES = env_bool("FETCH_IMAGES", False)
PICTURES_FOLDER = DATA_FOLDER / "pictures"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        # Where pictures are fetched, no browser asks another host for one.
        "img-src": [SELF, "data:"] if FETCH_IMAGES else [SELF, "https:", "data:"],
        "frame-ancestors": ["'none'"],
        "form-action": [SELF],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_FOLDER / "static"
if not IS_PRODUCTION:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns of a missing one
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
WHITENOISE_AUTOREFRESH = DEBUG

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["recsite.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["recsite.errors.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS tells nothing that the schema does not
    "URL_FORMAT_OVERRIDE": None,  # `format` is no parameter
    "EXCEPTION_HANDLER": "recsite.errors.problem",
    "DEFAULT_THROTTLE_CLASSES": ["recsite.rates.ByPerson"],
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "COERCE_DECIMAL_TO_STRING": True,
}
KNOX_TOKEN_MODEL = "catalog.Token"
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=30),
    "AUTO_REFRESH": True,
    "AUTO_REFRESH_MAX_TTL": timedelta(days=90),
    "MIN_REFRESH_INTERVAL": 60 * 60 * 24,  # at most one write a day for it
    "TOKEN_PREFIX": "rec_",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Medley",
    "DESCRIPTION": "The recommender you can see, steer and prove, inside one Postgres.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "recsite.schema.add_refusals",
    ],
    # Three things have a kind.
    "ENUM_NAME_OVERRIDES": {
        "FeedbackKindEnum": "catalog.models.Feedback.Kind",
        "SteeringKindEnum": "recommender.models.Steering.Kind",
        "ReasonKindEnum": "recommender.serializers.KINDS_OF_REASON",
        "InterestStateEnum": "recommender.interests.STATES",
    },
}

# Celery: state lives in Postgres (recommender.jobs), so a message may be lost or come twice.
CELERY_BROKER_URL = redis_url(0)
CELERY_TASK_DEFAULT_QUEUE = "default"
# A worker takes all queues, or those that -Q names: see docs/operations.md. Without keys of their
# own each message would go to all of them.
QUEUES = {
    # For somebody who waits, and quick.
    "default": ("learn", "email", "erase", "plan"),
    # By the encoder, so on a GPU where there is one.
    "embed": ("embed", "refill", "wish", "comment", "understand"),
    # Reads what everybody said, minutes at a time.
    "train": ("train", "calibrate", "popularity", "exposure"),
    # Much of it, or slow, and nobody waits.
    "bulk": ("image", "relearn", "archive", "sweep", "guests"),
}
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in QUEUES]
CELERY_TASK_ROUTES = {
    f"recommender.tasks.{kind}": {"queue": queue}
    for queue, kinds in QUEUES.items()
    for kind in kinds
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False  # the relay sends again what a killed worker left open
CELERY_TASK_TIME_LIMIT = 900
CELERY_TASK_SOFT_TIME_LIMIT = 840
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 10_000
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 1800,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_FOLDER / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    name: {"task": "recommender.tasks.plan", "schedule": seconds, "args": [name]}
    for name, seconds in {
        "popularity": 300.0,
        "exposure": 900.0,
        "train": 7 * 86_400.0,
        "calibrate": 7 * 86_400.0,
        "sweep": 600.0,
        "guests": 6 * 3600.0,
    }.items()
}

# Language models
MODELS_FOLDER = Path(os.environ.get("MODELS_FOLDER", DATA_FOLDER / "models"))
EMBEDDING_MODEL = os.environ.get("EMBEDDING_MODEL", "multilingual-e5-small")
EMBEDDING_BACKEND = env_choice(
    "EMBEDDING_BACKEND", "transformers", ("transformers", "http", "hashing")
)
ENCODER_URL = env_urls("ENCODER_URL", f"http://127.0.0.1:{ENCODER_PORT}/v1")
ENCODER_TIMEOUT_SECONDS = env_float("ENCODER_TIMEOUT_SECONDS", 0.2, low=0.01, high=60)
# Below so much free disk, vectors of a space that is not in use wait.
DISK_FLOOR_GIB = env_float("DISK_FLOOR_GIB", 1.0, low=0, high=100_000)

# People
# From one address; what a sign-in spent of it, it gives back if the password was right.
SIGN_INS_AN_HOUR = env_int("SIGN_INS_AN_HOUR", 100, low=1, high=1_000_000)
NEW_ACCOUNTS_AN_HOUR = env_int("NEW_ACCOUNTS_AN_HOUR", 300, low=1, high=1_000_000)
GUEST_DAYS = env_int("GUEST_DAYS", 30, low=1, high=3650)  # unused, until a guest is removed
EXPORT_DAYS = env_int("EXPORT_DAYS", 7, low=1, high=30)  # that an archive of one's data is kept
# A new account without a confirmed address weighs nothing in what is learned for all until then.
NEW_ACCOUNT_HOURS = env_int("NEW_ACCOUNT_HOURS", 48, low=0, high=8760)

# With what a link in an e-mail begins: never with what a request calls this site.
SITE_URL = os.environ.get(
    "SITE_URL",
    f"https://{ALLOWED_HOSTS[0].lstrip('.')}"
    if IS_PRODUCTION
    else f"http://127.0.0.1:{os.environ.get('PORT', '8000')}",
).rstrip("/")
# Here e-mails are files, which whoever tries things out can read.
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if IS_PRODUCTION else 'filebased'}.EmailBackend"
EMAIL_FILE_PATH = DATA_FOLDER / "mail"
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = env_int("EMAIL_PORT", 25, low=1, high=65535)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env_bool("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "medley@localhost")

# Operators give a code from their phone besides their password.
STAFF_TWO_FACTOR = env_bool("STAFF_TWO_FACTOR", IS_PRODUCTION)
OTP_TOTP_ISSUER = "Medley"
ADMIN_PATH = os.environ.get("ADMIN_PATH", "operate/")

# Recommendations
DEFAULT_DIVERSITY = env_float("DEFAULT_DIVERSITY", 0.3, low=0, high=1)
# The share of NDCG for which calibrate looks for the strategy of the most diversity.
DIVERSITY_BUDGET = env_float("DIVERSITY_BUDGET", 0.02, low=0, high=1)
DEFAULT_STRATEGY = env_choice(
    "DEFAULT_STRATEGY", "mixed", ("mmr", "msd", "dpp", "ssd", "xquad", "calibrated", "mixed")
)
MAX_PER_CREATOR = env_int("MAX_PER_CREATOR", 3, low=1, high=100)
# For so long what is popular, trending and new is read once for all; 0 reads it for each.
SHARED_LISTS_SECONDS = env_int("SHARED_LISTS_SECONDS", 30, low=0, high=600)
# What makes two items of a list alike.
SIMILARITY_WEIGHTS = env_shares(
    "SIMILARITY_WEIGHTS",
    "text=0.6, categories=0.4",
    ("text", "categories", "topics", "creator", "behaviour"),
)
POOL_SIZE = env_int("POOL_SIZE", 250, low=50, high=2000)
# Of the places of a list, how many go to items that hardly anybody has seen; 0 for none.
EXPLORATION_SHARE = env_float("EXPLORATION_SHARE", 0.05, low=0, high=0.5)
# People a day that each item is to be shown to, as far as it is relevant to any; 0 for no floor.
EXPOSURE_FLOOR = env_int("EXPOSURE_FLOOR", 0, low=0, high=1_000_000)
# How much of relevance chance may move, so that the next session has another order; 0 for none.
# Of MovieLens-100k this costs 0.2 % of NDCG@10, and half of the places hold another item.
ROTATION = env_float("ROTATION", 0.04, low=0, high=0.5)
# An item that was seen so many days ago, and not touched, steps back half as far.
IMPRESSION_HALF_LIFE_DAYS = env_float("IMPRESSION_HALF_LIFE_DAYS", 7.0, low=0.01, high=3650)
# Lists are dropped, a month at once, when they are older; None keeps all.
SERVED_RETENTION_DAYS = (
    env_float("SERVED_RETENTION_DAYS", 365, low=1, high=36_500)
    if os.environ.get("SERVED_RETENTION_DAYS")
    else None
)
# Whether the weekly training serves at once what passed its comparison; the first always does.
ACTIVATE_TRAINED = env_bool("ACTIVATE_TRAINED", False)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "recsite.logs.LineFormatter",
            "format": "{levelname} {name} {request_id} {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "INFO")},
}
