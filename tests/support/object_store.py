"""An object store on this machine: a bucket of moto's S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer

BUCKET = "lab"


@contextmanager
def object_store() -> Iterator[str]:
    """A server, for this process and those that it starts; yields the bucket's URL."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patched:
        host, port = server.get_host_and_port()
        patched.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patched.setenv(name, "test")
        patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}"
    server.stop()


def objects(folder: str) -> dict[str, bytes]:
    """All files below a folder of the store, but those that hold times, by their names there."""
    bucket, _, prefix = folder.removeprefix("s3://").partition("/")
    store = boto3.client("s3")
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return {
        key.removeprefix(f"{prefix}/"): store.get_object(Bucket=bucket, Key=key)["Body"].read()
        for key in keys
        if not key.endswith("verified.json")
    }


def upload(files: dict[str, bytes], folder: str) -> None:
    """Put files into a folder of the store."""
    bucket, _, prefix = folder.removeprefix("s3://").partition("/")
    for name, content in files.items():
        boto3.client("s3").put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=content)
