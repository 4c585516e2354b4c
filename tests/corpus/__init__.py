"""Inputs as people have them, by kind: each module yields cases of one, `test_corpus` judges all of them."""
