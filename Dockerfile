# An image that runs the daemon as an ordinary user, on a root file system that may be read-only (README, *Run in Docker*).
#
# A tag may mean another image tomorrow. Who builds for others names the digest of the one that was tested:
#   docker build --build-arg BASE=python:3.13-slim@sha256:... .
ARG PYTHON=3.13
ARG BASE=python:${PYTHON}-slim

# Here are pip and the build backend, and of both nothing goes on into the image. amd64 and arm64 need no compiler: every
# locked dependency has a wheel for them. For arm/v7 there is none of cffi, which cryptography needs, and of PyYAML: pip
# then builds both, with build tools that it fetches without a hash, if this line stands below the next one:
#   RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev libffi-dev
# Without libyaml PyYAML reads a file more slowly, and the same.
FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python3 -m venv tools \
    && python3 -m venv --without-pip /opt/tou-scheduler
# Before the program itself, so that an edit of ours does not fetch all of them again.
COPY requirements-build.txt requirements.txt ./
RUN tools/bin/pip install --require-hashes -r requirements-build.txt \
    && tools/bin/pip --python /opt/tou-scheduler/bin/python3 install --no-compile --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY config/tou.yaml config/
COPY deploy/systemd/ deploy/systemd/
COPY scheduler/ scheduler/
# The bytecode is compiled here, because nobody may write it later; and it counts whatever the files' dates become.
RUN tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && tools/bin/pip --python /opt/tou-scheduler/bin/python3 install --no-compile --no-index --no-deps dist/*.whl \
    && /opt/tou-scheduler/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /opt/tou-scheduler/lib

FROM ${BASE}
# The slim image has Python's own library without its bytecode. Each start and each health check would compile it anew.
RUN python3 -m compileall -q --invalidation-mode unchecked-hash \
        -x '/(site|dist)-packages/|/(ensurepip|idlelib|lib2to3|test|tkinter|turtledemo)/' \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && useradd --uid 1000 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin tou \
    && install -d -o tou -g tou /config /data
COPY --from=build /opt/tou-scheduler /opt/tou-scheduler

# /dev/shm can be written when the root file system cannot, and it is memory: the heartbeat wears out no card.
ENV PATH=/opt/tou-scheduler/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    TOU_CONFIG=/config/tou.yaml \
    STATE_DIRECTORY=/data \
    RUNTIME_DIRECTORY=/dev/shm \
    TMPDIR=/dev/shm \
    HOME=/data
# Any other user will do who may read /config and write /data: docker run --user.
USER 1000:1000
STOPSIGNAL SIGTERM
# The question costs a Raspberry Pi a second or two of its processor, hence once a minute; while it boots, or somebody else
# has the card, it may take ten times that, and one that was not answered in time does not count. A first cycle takes as
# long as a gateway that does not answer lets it wait. A daemon that hangs does not wait to be found: it ends itself after
# 75 s, because Docker starts nothing anew that is merely unhealthy.
HEALTHCHECK --interval=60s --timeout=20s --start-period=90s --retries=2 CMD ["tou-scheduler", "status", "--probe"]
# No shell in between: the daemon is the process that the signal reaches. It starts no others, so there are none to reap.
ENTRYPOINT ["tou-scheduler"]
CMD ["run", "--stay", "--write-example"]

# Here, so that another version alone makes no layer anew.
ARG VERSION=unreleased
ARG REVISION=""
ARG CREATED=""
LABEL org.opencontainers.image.title="tou-scheduler" \
      org.opencontainers.image.description="Runs a Tesla Powerwall by the clock of the electricity tariff and proves every switch" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
