"""FastAPI around ONNX Runtime, each request in a thread of the pool: what most people write.

python bench/serving/fastapi_server.py MODEL.onnx PORT
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from session import Session

app = FastAPI()
session = Session(sys.argv[1])


def classify_file(file: bytes) -> dict[str, Any]:
    """Classify one picture, in a thread of the pool."""
    return session.answers(session.decode(file)[None])[0]


@app.post("/classify")
async def classify(request: Request):
    """Classify the body of a request."""
    return await run_in_threadpool(classify_file, await request.body())


@app.get("/health")
async def health():
    """Answer that the server runs."""
    return {}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), log_level="critical", access_log=False)
