# The Picture Captioner-Clusterer-Chunker without a checkout: captions by the mock or an API, reports without a model.
#
#   docker build --tag picture-captioner .
#   docker run --rm -it --user "$(id -u):$(id -g)" -v ~/photos:/photos:ro -v "$PWD:/work" picture-captioner --backend mock --photos-dir /photos
#   docker run --rm -it --user "$(id -u):$(id -g)" -v ~/photos:/photos:ro -v "$PWD:/work" picture-captioner report --embedder pixels --photos-dir /photos
#
# Journal, report and config.env lie in the folder that is mounted as /work. A key can also be given with --env OPENAI_API_KEY.
FROM python:3.13-slim AS build
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.13-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[report-core,api]"
# Any user may run it, none of whom has a home here: numba keeps what it has compiled below HOME.
ENV HOME=/tmp
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["picture-captioner"]
CMD ["--help"]
