# JupyterLab on the course, with the locked packages:
#   docker build -t icws-explore . && docker run --rm -p 127.0.0.1:8888:8888 icws-explore
# It prints an address with a token. Labs run inside the container; it needs no network at run time.
FROM python:3.13-slim

RUN useradd --create-home --uid 1000 learner
WORKDIR /home/learner/icws_explore
RUN chown learner:learner .
USER learner
ENV PATH=/home/learner/.venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /home/learner/.venv

# The packages come first: this layer is built anew only when the lock changes.
COPY --chown=learner requirements.lock ./
RUN python -m pip install --quiet -r requirements.lock
COPY --chown=learner . .
RUN python -m pip install --quiet --no-deps --no-build-isolation -e .

EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser", "--ServerApp.root_dir=/home/learner/icws_explore", "--LabApp.default_url=/lab/tree/notebooks/00_index.ipynb"]
