from tests.stock_models import (
    bert,
    bert_folder,
    distilbert,
    distilbert_folder,
    roberta,
    roberta_folder,
    torch,
)

__all__ = [
    "bert",
    "bert_folder",
    "distilbert",
    "distilbert_folder",
    "roberta",
    "roberta_folder",
    "torch",
]
