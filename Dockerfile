# For CPUs:
#   docker build -t imaginax .
#   docker run --rm -v "$PWD/runs:/work/runs" imaginax train pets
FROM python:3.12-slim

WORKDIR /opt/imaginax
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir --no-deps .

RUN useradd --create-home --uid 1000 user && mkdir /work && chown user /work
USER user
WORKDIR /work
ENTRYPOINT ["imaginax"]
CMD ["--help"]
