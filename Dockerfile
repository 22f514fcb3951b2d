# Relais as an image. The default target is the program; the target `mocks` adds the stand-ins.
#
# Behind a proxy that inspects traffic, give its certificate authority to the build, which alone uses it:
#   docker build --build-arg EXTRA_CA="$(cat authority.pem)" .
# An index other than pip's own: --build-arg PIP_INDEX_URL=…

FROM python:3.11-slim-bookworm AS builder
ARG EXTRA_CA=""
ARG PIP_INDEX_URL=""
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
RUN if [ -n "$EXTRA_CA" ]; then printf '%s\n' "$EXTRA_CA" >>"$PIP_CERT"; fi
WORKDIR /build
# The dependencies come before our own code, so that a change of ours does not install them again.
COPY requirements.lock requirements-build.lock ./
RUN if [ -z "$PIP_INDEX_URL" ]; then unset PIP_INDEX_URL; fi \
 && python -m venv /opt/relais \
 && /opt/relais/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements.lock \
 && python -m venv /opt/build \
 && /opt/build/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements-build.lock
COPY pyproject.toml README.md ./
COPY schemas ./schemas
COPY connectors ./connectors
COPY routing ./routing
COPY relais ./relais
RUN /opt/build/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/relais/bin/python -m pip install --quiet --no-deps --no-index dist/*.whl \
 && /opt/relais/bin/python -m pip uninstall --quiet --yes pip setuptools

FROM python:3.11-slim-bookworm AS program
ENV PATH=/opt/relais/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/relais --shell /usr/sbin/nologin relais \
 && install -d -o relais -g relais -m 0700 /var/lib/relais
COPY --from=builder /opt/relais /opt/relais
USER 10001:10001
# The embedded ledger and broker live under .relais in the working folder; with both outside nothing is written.
WORKDIR /var/lib/relais
STOPSIGNAL SIGTERM
# Whether it is healthy is asked by docker-compose.yml, which knows the role and its port.
HEALTHCHECK NONE

FROM program AS mocks
COPY mocks /opt/stand-ins/mocks
ENV PYTHONPATH=/opt/stand-ins
ENTRYPOINT ["python", "-m", "mocks"]
CMD ["--help"]

FROM program AS relais
ENTRYPOINT ["relais"]
CMD ["run"]
