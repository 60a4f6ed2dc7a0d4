"""The standalone trainer: data, warm start, adversarial training, evaluation, export."""
