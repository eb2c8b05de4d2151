"""Pictures in a bucket, by a server of S3's interface: `pytest tests/deploy/media.py`."""

import json
import os
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from urllib.request import urlopen

import boto3
import pytest
from django.conf import settings
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from moto.server import ThreadedMotoServer
from rest_framework.authtoken.models import Token

from products.models import ProductImage
from tests.pictures import as_file, draw
from tests.servers import Server, database_url

# As docs/deploy.md has it.
PUBLIC = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::pictures/*",
        }
    ],
}
# Sweeps the folder of the argument, whose files are young.
SWEEP = """
import sys, django; django.setup()
from datetime import timedelta
from products import media
media.SWEEP_AGE, media.SWEEP_INTERVAL = timedelta(0), 1
media.time.time = lambda: int(sys.argv[1], 16)
print(media.sweep_files())
"""


@pytest.fixture
def bucket(monkeypatch):
    """Yield an empty bucket; the environment has what processes of the shop need for it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_STORAGE_BUCKET_NAME": "pictures",
        "AWS_S3_REGION_NAME": "us-east-1",
        "AWS_S3_ENDPOINT_URL": endpoint,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bucket = boto3.resource("s3", endpoint_url=endpoint, region_name="us-east-1").Bucket("pictures")
    bucket.create()
    bucket.Policy().put(Policy=json.dumps(PUBLIC))
    yield bucket
    server.stop()


def upload(shop, user, product):
    """Post a picture; return the headers of the response."""
    token = Token.objects.create(user=user).key
    headers = {"Authorization": f"Token {token}", "Content-Type": MULTIPART_CONTENT}
    body = encode_multipart(BOUNDARY, {"file": as_file(draw())})
    with closing(HTTPConnection("127.0.0.1", shop.port, timeout=30)) as peer:
        peer.request("POST", f"/api/products/{product.pk}/images/", body, headers)
        response = peer.getresponse()
        assert response.status == 201, response.read()
        return response.headers


def test_pictures_are_kept_in_a_bucket_and_swept_there(transactional_db, bucket, clerk, product):
    shop = Server(workers=1).start()
    try:
        headers = upload(shop, clerk, product)
        images = shop.client().call("GET", f"/api/products/{product.pk}/").body["images"]
    finally:
        shop.stop()
    name = ProductImage.objects.get().file.name
    endpoint = os.environ["AWS_S3_ENDPOINT_URL"]
    assert images[0]["url"] == f"{endpoint}/pictures/{name}"
    assert f"img-src 'self' data: {endpoint};" in headers["Content-Security-Policy"]
    with urlopen(images[0]["url"]) as file:  # noqa: S310
        assert file.read(4) == b"RIFF"
        assert file.headers["Content-Type"] == "image/webp"
        assert file.headers["Cache-Control"] == "public, max-age=31536000, immutable"

    assert (sweep(name), [file.key for file in bucket.objects.all()]) == ("0", [name])
    ProductImage.objects.all().delete()
    assert (sweep(name), [*bucket.objects.all()]) == ("1", [])


def sweep(name):
    """Sweep the folder of the file in a process with the settings of the bucket."""
    process = subprocess.run(
        [sys.executable, "-c", SWEEP, name.partition("/")[0]],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": database_url()},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout.split()[-1]
