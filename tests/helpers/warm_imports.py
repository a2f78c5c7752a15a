"""What the server of tests/helpers/warm.py imports: all that a run of the local backend does."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import bitsandbytes  # noqa: F401
import sentence_transformers  # noqa: F401
import torch  # noqa: F401
import transformers.models.florence2.modeling_florence2
import transformers.models.qwen2_5_vl.modeling_qwen2_5_vl
import transformers.models.qwen3_vl.modeling_qwen3_vl
import transformers.models.smolvlm.modeling_smolvlm  # noqa: F401
from transformers import AutoModelForImageTextToText, AutoProcessor  # noqa: F401
