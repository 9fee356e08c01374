# Stages: build (compiler, makes /opt/venv) → final (default; no compiler), and test.

FROM python:3.13-slim AS build
# mysqlclient has no wheel for Linux. python3-dev serves base images whose Python is Debian's own.
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      gcc libc6-dev pkg-config default-libmysqlclient-dev python3-dev \
 && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY requirements-production.txt .
RUN pip install --require-hashes -r requirements-production.txt


# The tests, with everything they lint, start and kill. docker-compose.test.yml builds this.
FROM build AS test
ENV PYTHONUNBUFFERED=1 \
    XDG_CACHE_HOME=/opt/cache
COPY requirements.txt .
RUN pip install --require-hashes -r requirements.txt
# Fault tests kill servers of their own, newman runs on Node, the browser tests in Chromium; fetched
# here, so that running them needs no network.
COPY .ci .ci
RUN mkdir /opt/cache && python .ci/servers.py fetch && python .ci/nodetools.py fetch \
 && python .ci/browser.py
# Not root: MySQL and Django's file handling behave differently there.
RUN useradd --create-home --uid 10001 souk && chown souk:souk /app
USER souk
COPY --chown=souk:souk . .
CMD ["python", ".ci/servers.py", "run", "--", \
     "python", "-m", "slipcover", "-m", "pytest", "-n", "4", "--dist", "loadfile", \
     "--no-loadscope-reorder"]


FROM python:3.13-slim AS final
RUN apt-get update \
 && apt-get install -y --no-install-recommends libmariadb3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 souk \
 && mkdir -p /data/media \
 && chown -R souk:souk /data
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=config.settings.production \
    PROMETHEUS_MULTIPROC_DIR=/tmp/metrics \
    MEDIA_ROOT=/data/media
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY . .
# The settings refuse to load without secrets; these live for one command and are kept nowhere.
RUN token() { python -c 'import secrets; print(secrets.token_urlsafe(60))'; } \
 && SECRET_KEY=$(token) JWT_SIGNING_KEY=$(token) \
    DATABASE_URL=mysql://build@127.0.0.1/build REDIS_URL=redis://127.0.0.1/0 \
    STRIPE_SECRET_KEY=sk_build STRIPE_WEBHOOK_SECRET=whsec_build \
    python manage.py collectstatic --noinput -v 0 \
 && python -m compileall -q -j 0 .
# Compiled above, and the code is not the running user's to write.
ENV PYTHONDONTWRITEBYTECODE=1
USER souk
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", \
     "--workers", "2", "--blocking-threads", "8", "--backpressure", "64", \
     "--respawn-failed-workers", "--workers-kill-timeout", "30", "config.wsgi:application"]
