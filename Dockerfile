FROM python:3.11-slim AS build
WORKDIR /shop
RUN python -m venv --without-pip .venv
COPY Pipfile.lock ./
COPY deploy/locked.py deploy/
RUN python deploy/locked.py > requirements.txt \
    && pip --python .venv/bin/python install --no-cache-dir --no-deps --requirement requirements.txt
COPY . .
# What the settings want to be told, and no static file depends on.
RUN DEBUG=false SECRET_KEY=a-placeholder-of-fifty-characters-that-no-server-uses ALLOWED_HOSTS=none \
    .venv/bin/python manage.py collectstatic --noinput

FROM python:3.11-slim
RUN pip uninstall --yes pip setuptools wheel
ENV PATH="/shop/.venv/bin:$PATH" PYTHONUNBUFFERED=1 DEBUG=false
WORKDIR /shop
COPY --from=build /shop /shop
# All files belong to root. What the shop writes goes to /tmp, also with a read-only root file system,
# and pictures of products to a volume at /shop/media, unless they go to a bucket.
RUN install -d -o 10001 -g 10001 media
USER 10001:10001
VOLUME /tmp
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=10s --retries=6 --start-period=30s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", 8000)}/healthz', timeout=9)"]
# No shell around it: signals reach the server.
CMD ["python", "-m", "shopply.server"]
