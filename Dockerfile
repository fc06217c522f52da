# A small image that runs the daemon as an ordinary user. Mount a folder with tou.yaml and powerwall.pem at /config.
FROM python:3.13-slim

WORKDIR /src
COPY requirements.txt requirements-build.txt pyproject.toml README.md LICENSE ./
COPY scheduler scheduler
RUN pip install --no-cache-dir --require-hashes -r requirements-build.txt -r requirements.txt \
    && pip install --no-cache-dir --no-deps --no-build-isolation . \
    && useradd --uid 1000 --create-home tou \
    && install -d -o tou -g tou /config /data

USER tou
WORKDIR /home/tou
ENV TOU_CONFIG=/config/tou.yaml STATE_DIRECTORY=/data
ENTRYPOINT ["tou-scheduler"]
CMD ["run"]
