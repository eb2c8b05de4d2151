"""Pictures in a bucket, if AWS_STORAGE_BUCKET_NAME names one."""

from typing import ClassVar

from botocore.config import Config
from storages.backends.s3 import S3Storage

from products.media import IMMUTABLE


class BucketStorage(S3Storage):
    """That of django-storages, for files that anyone sees and that never change."""

    querystring_auth = False  # otherwise each URL would be another one, which no cache has
    object_parameters: ClassVar = {"CacheControl": IMMUTABLE, "ContentType": "image/webp"}
    client_config = Config(
        connect_timeout=2,
        read_timeout=5,
        retries={"total_max_attempts": 2},
        signature_version="s3v4",
    )
